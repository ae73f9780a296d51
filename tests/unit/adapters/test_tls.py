"""Certificates from mounted files, shown to a server that wants one and held against one that has another authority."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.cluster.pki import Authority

from fairlead.adapters.prometheus import GatewayQuery, PrometheusMetrics
from fairlead.adapters.tls import metrics_tls
from fairlead.errors import MetricsError

QUERY = GatewayQuery("{namespace}", "pod")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that signs Prometheus' certificate, and knows the operator's."""
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Somebody else's."""
    return Authority(tmp_path_factory.mktemp("theirs"))


@pytest.fixture
async def url(ours: Authority) -> AsyncIterator[str]:
    """A server that answers queries, to those who show a certificate of ours."""
    serving = ours.issue("prometheus", "/CN=prometheus", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ours.ca.cert)
    context.load_cert_chain(serving.cert, serving.key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"status": "success"})

    app = web.Application()
    app.router.add_get("/api/v1/query", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"https://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    await runner.cleanup()


def mount(folder: Path, authority: Authority | None, identity: Authority | None) -> Path:
    """A Secret's files, as they are now."""
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (folder / name).unlink(missing_ok=True)
    if authority:
        shutil.copy(authority.ca.cert, folder / "ca.crt")
    if identity:
        pair = identity.issue("operator", "/CN=operator")
        shutil.copy(pair.cert, folder / "tls.crt")
        shutil.copy(pair.key, folder / "tls.key")
    return folder


def failure(folder: Path) -> str:
    with pytest.raises(MetricsError) as caught:
        metrics_tls(str(folder)).context()
    assert "PRIVATE" not in str(caught.value)
    return str(caught.value).removeprefix("the setting prometheus.tlsDir: ")


async def test_the_operator_shows_its_certificate_and_takes_new_ones_without_a_restart(
    url: str, ours: Authority, theirs: Authority, tmp_path: Path
) -> None:
    metrics = PrometheusMetrics(url, query=QUERY, tls=metrics_tls(str(mount(tmp_path, ours, ours))).context)
    await metrics.check()
    for authority, identity in ((ours, None), (theirs, ours), (None, ours), (ours, theirs)):
        mount(tmp_path, authority, identity)
        with pytest.raises(MetricsError, match="no answer from Prometheus"):
            await metrics.check()
    mount(tmp_path, ours, ours)
    await metrics.check()
    await metrics.close()


def test_without_a_folder_nothing_is_secured_in_a_special_way() -> None:
    assert metrics_tls("").context() is None


def test_the_context_stays_the_same_until_the_files_change(ours: Authority, tmp_path: Path) -> None:
    files = metrics_tls(str(mount(tmp_path, ours, ours)))
    first = files.context()
    assert files.context() is first
    mount(tmp_path, ours, None)
    assert files.context() is not first


def test_files_that_are_missing_are_told_by_name(ours: Authority, tmp_path: Path) -> None:
    expected = f"expected ca.crt, or tls.crt and tls.key, or all, in {tmp_path}, got"
    assert failure(tmp_path) == f"{expected} none of them"
    (mount(tmp_path, ours, ours) / "tls.key").unlink()
    assert failure(tmp_path) == f"{expected} ca.crt, tls.crt"


def test_files_that_do_not_do_are_told_without_quoting_them(ours: Authority, theirs: Authority, tmp_path: Path) -> None:
    mount(tmp_path, ours, ours)
    key = theirs.issue("operator", "/CN=operator").key
    shutil.copy(key, tmp_path / "tls.key")
    assert failure(tmp_path) == f"cannot use the certificates in {tmp_path}: KEY_VALUES_MISMATCH"
    (tmp_path / "tls.key").write_text("no key")
    assert failure(tmp_path).startswith(f"cannot use the certificates in {tmp_path}: ")
    mount(tmp_path, None, ours)
    (tmp_path / "ca.crt").write_bytes(b"\xff")
    assert failure(tmp_path).startswith(f"cannot use the certificates in {tmp_path}: ")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(ours: Authority, tmp_path: Path) -> None:
    mount(tmp_path, ours, ours)
    key = tmp_path / "tls.key"
    locked = ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", key, "-out", tmp_path / "locked"]
    subprocess.run(locked, check=True, capture_output=True)
    (tmp_path / "locked").replace(key)
    assert failure(tmp_path).startswith(f"cannot use the certificates in {tmp_path}: ")

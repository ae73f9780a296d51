"""Evidence by way of a real Prometheus that scrapes a real gateway, while each of them comes and goes."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from tests.apiserver.gateway_served import Served
from tests.apiserver.gateway_world import GatewayWorld, gateway_world
from tests.apiserver.prometheus_process import PrometheusProcess
from tests.apiserver.two_sources import POD, STALE_SECONDS, Ledger, reading
from tests.cluster import ControlPlane
from tests.cluster.pki import Authority

from fairlead.adapters import prometheus as adapter
from fairlead.adapters.gateways import HttpGateways, TokenFile
from fairlead.adapters.prometheus import PrometheusMetrics
from fairlead.api.gateway_evidence import PodEvidence
from fairlead.errors import MetricsError
from fairlead.from_settings import prometheus as prometheus_of
from fairlead.settings import parse_settings
from fairlead.shell import reports as shell_reports
from fairlead.shell import second_source
from fairlead.shell.keys import Key

AUDIENCE = "fairlead-evidence"
SOON_SECONDS = 15.0
"""A scrape, a question and a look, on a machine that runs other tests beside this one."""
T = TypeVar("T")


@pytest.fixture
def world(control_plane: ControlPlane, api: httpx.Client, namespace: str, tmp_path: Path) -> Iterator[GatewayWorld]:
    """A namespace whose gateway runs."""
    with gateway_world(control_plane, api, namespace, tmp_path) as found:
        found.gateway.start()
        yield found


@pytest.fixture
def served(world: GatewayWorld) -> Iterator[Served]:
    """A ModelDeployment whose canary has half of the traffic, and fails every fifth request."""
    with ExitStack() as pods:
        found = Served(world, pods)
        found.pod("stable")
        found.pod("canary", fail_percent=20)
        found.serve(arms=found.arms(stable=50, canary=50), latencyLimit="250ms")
        yield found


@pytest.fixture
def scraper(world: GatewayWorld, tmp_path: Path) -> Iterator[PrometheusProcess]:
    """A Prometheus that scrapes this gateway."""
    process = PrometheusProcess(tmp_path / "prometheus", world.namespace, {POD: world.gateway.metrics_port})
    process.start()
    yield process
    process.close()


@pytest.fixture
async def metrics(scraper: PrometheusProcess) -> AsyncIterator[PrometheusMetrics]:
    """The operator's adapter, with the chart's own query."""
    made = prometheus_of(parse_settings(f"prometheus: {{url: '{scraper.url}'}}", "x"))
    yield made
    await made.close()


@pytest.fixture
def token(world: GatewayWorld, tmp_path: Path) -> Path:
    """The operator's own."""
    path = tmp_path / "evidence-token"
    path.write_text(world.token("fairlead", AUDIENCE))
    return path


@pytest.fixture
async def gateways(token: Path) -> AsyncIterator[HttpGateways]:
    made = HttpGateways(TokenFile(token))
    yield made
    await made.close()


async def soon(find: Callable[[], T], seconds: float = SOON_SECONDS) -> T:
    """What `find` gives as soon as it gives something."""
    async with asyncio.timeout(seconds):
        while not (found := find()):  # noqa: ASYNC110 -- nothing tells of the moment
            await asyncio.sleep(0.05)
        return found


async def soon_told(ask: Callable[[], Awaitable[T]], seconds: float = SOON_SECONDS) -> T:
    """The same of somebody who has to be asked."""
    async with asyncio.timeout(seconds):
        while not (found := await ask()):  # noqa: ASYNC110 -- nothing tells of the moment
            await asyncio.sleep(0.2)
        return found


def replace_token(path: Path, text: str) -> None:
    """As the kubelet does it."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)


def counters(evidence: PodEvidence) -> str:
    """All but the moment; as text, in which NaN is NaN."""
    return repr(replace(evidence, at_seconds=0.0))


async def test_what_prometheus_has_scraped_is_what_the_pod_says(
    served: Served, metrics: PrometheusMetrics, gateways: HttpGateways
) -> None:
    world = served.world
    await asyncio.to_thread(served.ask, 60)
    await asyncio.sleep(1.5)  # Envoy's histograms lag its counters by a flush
    direct = await gateways.read("127.0.0.1", world.gateway.evidence_port)

    async def scraped_later() -> PodEvidence | None:
        found = (await metrics.gateways(world.namespace)).get(POD)
        return found if found and found.is_after(direct) else None

    scraped = await soon_told(scraped_later)
    assert scraped is not None
    assert counters(scraped) == counters(direct)
    assert "nan" not in counters(direct), "every series that evidence is made of is on the metrics port"
    canary = direct.deployments[served.name].arms[served.revision("canary"), "canary"]
    assert canary.attempts > 0
    assert canary.attempt_failures > 0
    assert await metrics.gateways("elsewhere") == {}


async def test_a_gateway_that_ends_is_no_more_in_what_prometheus_says(
    world: GatewayWorld, metrics: PrometheusMetrics
) -> None:
    async def known() -> bool:
        return POD in await metrics.gateways(world.namespace)

    async def unknown() -> bool:
        return not await known()

    await soon_told(known)
    world.gateway.kill("renderer")
    await soon_told(unknown)


async def test_a_prometheus_that_is_killed_or_hangs_costs_one_error_and_little_time(
    world: GatewayWorld, scraper: PrometheusProcess, metrics: PrometheusMetrics
) -> None:
    async def failure() -> str:
        started = time.monotonic()
        with pytest.raises(MetricsError) as caught:
            await metrics.gateways(world.namespace)
        assert time.monotonic() - started < adapter._TIMEOUT_SECONDS + 2
        return str(caught.value)

    await metrics.gateways(world.namespace)
    scraper.hang()
    assert "TimeoutError" in await failure()
    scraper.go_on()
    await metrics.gateways(world.namespace)
    scraper.kill()
    assert "ConnectError" in await failure() or "ReadError" in await failure()
    scraper.start()
    await metrics.gateways(world.namespace)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter pauses, so that a source is missed, and missed no more, within seconds."""
    monkeypatch.setattr(shell_reports, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(second_source, "ASK_SECONDS", 0.5)
    monkeypatch.setattr(adapter, "_TIMEOUT_SECONDS", 1.0)


@pytest.mark.usefixtures("hurried")
async def test_a_rollout_counts_every_request_once_while_both_sources_come_and_go(
    served: Served,
    scraper: PrometheusProcess,
    metrics: PrometheusMetrics,
    gateways: HttpGateways,
    token: Path,
) -> None:
    world, ledger, sent = served.world, Ledger(served), 0
    genuine = world.token("fairlead", AUDIENCE)
    key = Key("ModelDeployment", world.namespace, served.name)

    async with reading(world, gateways, metrics) as reports:

        def silent() -> bool:
            return POD in reports.follow(key, generation=1, watched=True).silent

        def counted() -> int:
            return ledger.look(reports.evidence(world.namespace))

        async def users() -> None:
            nonlocal sent
            await asyncio.to_thread(served.ask, 40)
            sent += 40

        async def all_are_counted() -> None:
            await soon(lambda: counted() == sent)

        async def nobody_sees() -> None:
            await soon(lambda: not reports.evidence(world.namespace))
            assert counted() <= sent

        reports.follow(key, generation=1, watched=True)
        await soon(lambda: reports.evidence(world.namespace))
        counted()
        await users()
        await all_are_counted()

        replace_token(token, "nobody.knows.it")  # as if a NetworkPolicy stood between
        await soon(silent)
        await users()
        await all_are_counted()
        assert reports.stale_seconds(world.namespace) == STALE_SECONDS

        scraper.hang()
        await users()
        await nobody_sees()
        assert reports.stale_seconds(world.namespace) == 15
        scraper.go_on()
        await all_are_counted()

        scraper.kill()
        await users()
        await nobody_sees()
        scraper.start()
        await all_are_counted()

        replace_token(token, genuine)
        await soon(lambda: not silent())
        await users()
        await all_are_counted()
        await asyncio.sleep(2)
        for _ in range(5):
            assert counted() == sent == 200
    said = (await gateways.read("127.0.0.1", world.gateway.evidence_port)).deployments[served.name]
    canary = said.arms[served.revision("canary"), "canary"]
    assert ledger.failures == canary.attempt_failures > 0


async def test_a_prometheus_that_asks_for_a_certificate_gets_the_operator_s(
    world: GatewayWorld, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    serving = authority.issue("prometheus", "/CN=prometheus", ["127.0.0.1"])
    web = {
        "tls_server_config": {
            "cert_file": str(serving.cert),
            "key_file": str(serving.key),
            "client_ca_file": str(authority.ca.cert),
            "client_auth_type": "RequireAndVerifyClientCert",
        }
    }
    scraper = PrometheusProcess(tmp_path / "prometheus", world.namespace, {POD: world.gateway.metrics_port}, web)
    mounted, identity = tmp_path / "mounted", authority.issue("operator", "/CN=operator")
    mounted.mkdir()
    shutil.copy(authority.ca.cert, mounted / "ca.crt")
    url = scraper.url.replace("http:", "https:")
    metrics = prometheus_of(parse_settings(f"prometheus: {{url: '{url}', tlsDir: {mounted}}}", "x"))
    scraper.start()
    try:
        await soon(lambda: listens(scraper.port), 2 * SOON_SECONDS)
        assert "no answer from Prometheus" in await failure_of(metrics), "it wants a certificate"
        shutil.copy(identity.cert, mounted / "tls.crt")
        shutil.copy(identity.key, mounted / "tls.key")
        assert not await failure_of(metrics)

        async def known() -> bool:
            return POD in await metrics.gateways(world.namespace)

        await soon_told(known)
    finally:
        await metrics.close()
        scraper.close()


async def failure_of(metrics: PrometheusMetrics) -> str:
    """Why a query is not answered; empty: it is."""
    try:
        await metrics.check()
    except MetricsError as error:
        return str(error)
    return ""


def listens(port: int) -> bool:
    """Whether anybody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

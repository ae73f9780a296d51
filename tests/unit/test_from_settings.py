"""What the settings mean to the operator's parts."""

from pathlib import Path

import pytest
from aiohttp import web

from fairlead.errors import MetricsError
from fairlead.from_settings import allowed, gateway_defaults, lease_terms, prometheus, render_defaults
from fairlead.settings import parse_settings

SERIES = {"metric": {"__name__": "fairlead_gateway_time_seconds", "pod": "a"}, "value": [1, "1"]}
POD = {"POD_NAMESPACE": "home", "SERVICE_ACCOUNT": "release", "POD_NAME": "release-1"}


def test_gateways_answer_the_operator_s_own_account() -> None:
    found = gateway_defaults(parse_settings("gateway: {clusterRole: release-gateway, replicas: 3}", "x"), POD)
    assert found.evidence_subject == "system:serviceaccount:home:release"
    assert (found.cluster_role, found.replicas, found.image) == ("release-gateway", 3, "localhost/fairlead-gateway:dev")
    assert found.resources["limits"] == {"cpu": "2", "memory": "512Mi"}


def test_the_operator_binds_the_gateways_role_unless_its_namespaces_are_named() -> None:
    assert gateway_defaults(parse_settings("", "x"), POD).binds
    assert not gateway_defaults(parse_settings("watchNamespaces: [a]", "x"), POD).binds


def test_pods_call_the_registry_where_the_operator_does_unless_it_is_said_otherwise() -> None:
    assert render_defaults(parse_settings("registry: {url: 'http://m'}", "x")).registry_pod_url == "http://m"
    both = parse_settings("registry: {url: 'http://m', podUrl: 'http://p'}", "x")
    assert render_defaults(both).registry_pod_url == "http://p"


def test_what_is_allowed_is_what_the_settings_say() -> None:
    found = allowed(parse_settings("allowed: {images: ['a/*']}\nwatchNamespaces: [team]", "x"))
    assert found.images == ("a/*",)
    assert [(rule.namespaces, rule.models) for rule in found.models] == [(("*",), ("*",))]


async def test_prometheus_is_asked_what_the_settings_say(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.query["query"], request.headers["Authorization"]))
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": [SERIES]}})

    app = web.Application()
    app.router.add_get("/base/api/v1/query", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    (tmp_path / "token").write_text("abc")
    section = f"url: 'http://127.0.0.1:{port}/base', credentialsDir: {tmp_path}, podLabel: kubernetes_pod"
    text = f"prometheus: {{{section}, queries: {{gatewayEvidence: 'all{{ns=\"{{namespace}}\"}}'}}}}"
    metrics = prometheus(parse_settings(text, "x"))
    with pytest.raises(MetricsError, match=r"expected the label kubernetes_pod"):
        await metrics.gateways("team")
    assert asked == [('all{ns="team"}', "Bearer abc")]
    await metrics.close()
    await runner.cleanup()


async def test_prometheus_certificates_are_those_of_the_settings(tmp_path: Path) -> None:
    metrics = prometheus(parse_settings(f"prometheus: {{url: 'https://p', tlsDir: {tmp_path}}}", "x"))
    with pytest.raises(MetricsError, match=r"prometheus\.tlsDir: expected ca\.crt"):
        await metrics.check()
    await metrics.close()


def test_the_lease_lives_beside_the_operator_under_the_name_of_its_pod() -> None:
    terms = lease_terms(parse_settings("lease: {name: mine, durationSeconds: 30}", "x"), POD)
    assert (terms.namespace, terms.name, terms.duration_seconds) == ("home", "mine", 30)
    assert terms.identity.startswith("release-1-")
    assert lease_terms(parse_settings("", "x"), {}).namespace == "default"

"""The bench's endpoints answer what the operator's reader takes for a gateway's evidence."""

import asyncio
from math import isnan
from pathlib import Path

from tests.bench.evidence_source.endpoints import CANARY, GENERATION, NAME, STABLE, Endpoint, evidence

from fairlead.adapters.gateways import HttpGateways, TokenFile
from fairlead.api.gateway_text import parse_evidence


def test_the_text_is_whole_evidence_of_one_rollout() -> None:
    found = parse_evidence(evidence(100).encode()).deployments[NAME]
    assert found.generation == GENERATION
    assert set(found.arms) == {(STABLE, "stable"), (CANARY, "canary"), (CANARY, "matched")}
    for (_, use), arm in found.arms.items():
        assert arm.attempts == 100
        unsaid = {name for name in arm.__slots__ if isnan(getattr(arm, name))}
        assert unsaid == ({"weight_percent"} if use == "matched" else set())


async def test_every_loopback_address_answers_with_counters_that_grow(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 1000)
    server = await asyncio.get_running_loop().create_server(Endpoint, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    gateways = HttpGateways(TokenFile(token))
    try:
        found = [await gateways.read(address, port) for address in ("127.1.0.1", "127.1.1.250", "127.1.0.1")]
    finally:
        await gateways.close()
        server.close()
        await server.wait_closed()
    counts = [item.deployments[NAME].arms[CANARY, "canary"].attempts for item in found]
    assert counts == sorted(set(counts))

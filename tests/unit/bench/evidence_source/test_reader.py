"""What reading costs, measured over real sockets in the small."""

import asyncio
from pathlib import Path

import pytest
from tests.bench.evidence_source import reader
from tests.bench.evidence_source.endpoints import Endpoint
from tests.bench.evidence_source.reader import PODS_EACH, Reading, address, pod_bodies, read

from fairlead.api.gateway_pod import parse_gateway_pod


def test_every_pod_has_an_address_of_its_own_that_is_valid() -> None:
    found = [address(namespace, pod) for namespace in range(300) for pod in range(PODS_EACH)]
    assert len(set(found)) == 600
    assert all(1 <= int(part) <= 250 for part in (item.rpartition(".")[2] for item in found))


def test_the_pods_are_ready_and_answer_on_the_bench_s_port() -> None:
    found = [parse_gateway_pod(body) for body in pod_bodies(3, 4711)]
    assert [(pod.address, pod.port) for pod in found if pod] == [("127.1.0.7", 4711), ("127.1.0.8", 4711)]


def test_rates_are_by_the_time_that_was_measured() -> None:
    found = Reading(namespaces=100, split=True, seconds=10, reads=2000, failures=0, share=0.2)
    assert (found.reads_per_second, found.microseconds_per_read) == (200, 1000)
    assert Reading(100, True, 10, 0, 0, 0.1).microseconds_per_read == 0


async def test_every_pod_is_read_and_what_fails_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "WARM_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("t")
    server = await asyncio.get_running_loop().create_server(Endpoint, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    found = await read(3, split=True, seconds=0.5, port=port, token=token)
    server.close()
    await server.wait_closed()
    assert found.reads >= 3 * PODS_EACH
    assert found.failures == 0
    assert found.share > 0
    assert (await read(1, split=True, seconds=0.5, port=port, token=token)).failures >= PODS_EACH

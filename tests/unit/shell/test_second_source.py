"""Prometheus is asked seldom and by one at a time, and what it says goes back nowhere."""

import asyncio
import logging
from collections.abc import Mapping

import pytest
from tests.unit.shell.test_telemetry import samples

from fairlead.api.gateway_evidence import PodEvidence
from fairlead.errors import MetricsError
from fairlead.shell.second_source import ASK_SECONDS, MOST_QUERIES, SecondSource
from fairlead.shell.telemetry import Telemetry

STALE = 75.0


class Time:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the second source asks for {name}")


class Prometheus:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.says: Mapping[str, PodEvidence] | MetricsError = {}
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def check(self) -> None:
        raise AssertionError("nobody asks for that here")

    async def gateways(self, namespace: str) -> Mapping[str, PodEvidence]:
        self.asked.append(namespace)
        await self.open.wait()
        if isinstance(self.says, MetricsError):
            raise self.says
        return self.says


class Bench:
    """A source, and all it stands on."""

    def __init__(self) -> None:
        self.time, self.prometheus, self.telemetry = Time(), Prometheus(), Telemetry()
        clock: object = self.time
        self.source = SecondSource(
            self.prometheus,
            clock,  # type: ignore[arg-type]
            self.telemetry,
            stale_seconds=STALE,
        )

    async def hears(self, **pods: PodEvidence) -> Mapping[str, PodEvidence]:
        self.prometheus.says = pods
        await self.source.ask("team")
        return self.source.evidence("team")


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def at(seconds: float, started: float = 1.0) -> PodEvidence:
    return PodEvidence(seconds, started, {})


async def test_nothing_is_known_before_it_was_asked(bench: Bench) -> None:
    assert bench.source.evidence("team") == {}
    assert await bench.hears(a=at(1)) == {"a": at(1)}
    assert bench.source.evidence("other") == {}


async def test_a_namespace_is_due_every_five_seconds_and_not_while_it_is_asked_about(bench: Bench) -> None:
    assert bench.source.due("team")
    bench.prometheus.open.clear()
    asking = [asyncio.create_task(bench.source.ask("team")) for _ in range(3)]
    await asyncio.sleep(0)
    bench.time.seconds += 10 * ASK_SECONDS
    assert not bench.source.due("team")
    assert bench.source.due("other")
    bench.prometheus.open.set()
    await asyncio.gather(*asking)
    assert bench.prometheus.asked == ["team"]
    assert bench.source.due("team")
    await bench.source.ask("team")
    bench.time.seconds += ASK_SECONDS - 0.1
    assert not bench.source.due("team")
    bench.time.seconds += 0.1
    assert bench.source.due("team")


@pytest.mark.parametrize("late", [at(10), at(5), at(90, started=0.5)], ids=["repeated", "late", "of a former process"])
async def test_what_is_not_newer_is_not_taken(bench: Bench, late: PodEvidence) -> None:
    await bench.hears(a=at(10))
    assert await bench.hears(a=late) == {"a": at(10)}
    assert await bench.hears(a=at(11)) == {"a": at(11)}
    assert await bench.hears(a=at(2, started=2.0)) == {"a": at(2, started=2.0)}


async def test_a_pod_without_news_is_forgotten_after_a_while_however_often_it_is_told(bench: Bench) -> None:
    await bench.hears(a=at(10), b=at(10))
    bench.time.seconds += STALE
    assert set(await bench.hears(a=at(10), b=at(20))) == {"a", "b"}
    bench.time.seconds += 1
    assert set(bench.source.evidence("team")) == {"b"}
    assert set(await bench.hears(b=at(20))) == {"b"}


async def test_a_failure_leaves_what_was_known_and_is_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await bench.hears(a=at(10))
    bench.prometheus.says = MetricsError("no answer")
    for _ in range(3):
        await bench.source.ask("team")
        assert bench.source.evidence("team") == {"a": at(10)}
    await bench.hears(a=at(11))
    assert [record.message for record in caplog.records] == [
        "no evidence from Prometheus",
        "evidence from Prometheus again",
    ]
    assert samples(bench.telemetry)["fairlead_prometheus_queries_total", "failed"] == 3
    assert samples(bench.telemetry)["fairlead_prometheus_queries_total", "ok"] == 2


async def test_no_more_than_a_few_queries_are_under_way(bench: Bench) -> None:
    bench.prometheus.open.clear()
    asking = [asyncio.create_task(bench.source.ask(f"team-{i}")) for i in range(3 * MOST_QUERIES)]
    await asyncio.sleep(0.01)
    assert len(bench.prometheus.asked) == MOST_QUERIES
    bench.prometheus.open.set()
    await asyncio.gather(*asking)
    assert len(bench.prometheus.asked) == 3 * MOST_QUERIES


async def test_a_namespace_that_nobody_asks_about_is_forgotten(bench: Bench) -> None:
    await bench.hears(a=at(10))
    bench.source.forget("team")
    bench.source.forget("team")
    assert bench.source.evidence("team") == {}

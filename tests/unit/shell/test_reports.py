"""The gateways' pods are asked over real sockets, as often as something depends on it, and no pod waits for another."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from tests.unit.shell.test_telemetry import samples

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateways import HttpGateways, TokenFile
from fairlead.api.gateway_evidence import PodEvidence
from fairlead.core.world import Report
from fairlead.shell import reports as shell_reports
from fairlead.shell import second_source
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.reports import Reports
from fairlead.shell.second_source import SecondSource
from fairlead.shell.telemetry import Telemetry

CHURN = Key("ModelDeployment", "team", "churn")
FRAUD = Key("ModelDeployment", "team", "fraud")
ELSEWHERE = Key("ModelDeployment", "other", "churn")
BUSY, QUIET, EAGER, EAGER_FOR, FIRST, SILENT = 0.05, 0.6, 0.02, 0.3, 0.01, 0.2
ASK, STALE = 0.1, 1.5
TOGETHER = 0.02


T = TypeVar("T")


async def soon(find: Callable[[], T], seconds: float = 5.0) -> T:
    """What `find` gives as soon as it gives something."""
    async with asyncio.timeout(seconds):
        while not (found := find()):  # noqa: ASYNC110 -- nothing tells of the moment
            await asyncio.sleep(0.005)
        return found


class Pod:
    """A gateway pod's endpoint: what it serves by ModelDeployment, what it refused, and when it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.generations: dict[str, int] = {"churn": 1}
        self.rejected: dict[str, tuple[int, str]] = {}
        self.asked: list[float] = []
        self.hangs = False
        self.status = 200
        self.time = 1.0

    def text(self) -> str:
        lines = [f"time_seconds {self.time}", "start_time_seconds 1"]
        for name, generation in self.generations.items():
            lines += [
                f'traffic_generation{{modeldeployment="{name}"}} {generation}',
                f'traffic_epoch{{modeldeployment="{name}"}} 3',
                f'attempts_total{{modeldeployment="{name}",revision="r",use="stable"}} {len(self.asked)}',
            ]
        for name, (generation, message) in self.rejected.items():
            labels = f'modeldeployment="{name}",generation="{generation}",reason="InvalidTraffic",message="{message}"'
            lines.append(f"rejected{{{labels}}} 1")
        return "".join(f"fairlead_gateway_{line}\n" for line in lines)

    async def answer(self, _: web.Request) -> web.Response:
        self.asked.append(asyncio.get_running_loop().time())
        await soon(lambda: not self.hangs)
        return web.Response(text=self.text(), status=self.status)

    def body(self, *, ready: bool = True) -> dict[str, Any]:
        """The object, as the API server has it."""
        return {
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "uid": f"uid-{self.name}",
                "ownerReferences": [{"kind": "ReplicaSet", "controller": True}],
            },
            "spec": {"containers": [{"ports": [{"name": "evidence", "containerPort": self.port}]}]},
            "status": {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
        }


class Prometheus:
    """Says what it last read of the pods."""

    def __init__(self) -> None:
        self.scraped: dict[str, PodEvidence] = {}
        self.asked: list[str] = []
        self.hangs = False

    async def check(self) -> None:
        raise AssertionError("the reader does not ask for that")

    async def gateways(self, namespace: str) -> Mapping[str, PodEvidence]:
        self.asked.append(namespace)
        await soon(lambda: not self.hangs)
        return dict(self.scraped)


class Team:
    """Namespaces with gateway pods, and the operator's reader."""

    def __init__(self, gateways: HttpGateways, jitter: list[float]) -> None:
        self.pods: dict[str, list[dict[str, Any]]] = {"team": [], "other": []}
        self.telemetry = Telemetry()
        self.queue = WorkQueue(SystemClock(), jitter=lambda seconds: seconds)
        self.pauses = jitter
        self.prometheus = Prometheus()
        self.reports = Reports(
            gateways,
            self.queue,
            SystemClock(),
            self.telemetry,
            pods=lambda name: self.pods[name],
            jitter=self.jitter,
            second=SecondSource(self.prometheus, SystemClock(), self.telemetry, stale_seconds=STALE),
        )

    def jitter(self, seconds: float) -> float:
        self.pauses.append(seconds)
        return seconds

    def said(self, key: Key = CHURN, generation: int = 1, *, watched: bool = False) -> dict[str, Report]:
        return dict(self.reports.follow(key, generation=generation, watched=watched).reports)

    def silent(self) -> frozenset[str]:
        return self.reports.follow(CHURN, generation=1, watched=True).silent

    def queued(self) -> set[Key]:
        """What is in line; it is empty afterwards."""
        return set(drain(self.queue))

    async def until(self, *, seconds: float = 3.0, **wanted: Report) -> None:
        """Until exactly these pods have said this of churn."""
        await soon(lambda: self.reports.follow(CHURN, generation=1, watched=False).reports == wanted, seconds)

    async def until_split(self, **wanted: Report) -> None:
        """The same while traffic is split."""
        await soon(lambda: self.said(watched=True) == wanted)


def drain(queue: WorkQueue) -> Iterator[Key]:
    while queue.depth:
        taking = queue.get()
        try:
            taking.send(None)
        except StopIteration as taken:
            key: Key = taken.value
            yield key
            queue.done(key)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BUSY_SECONDS": BUSY,
        "QUIET_SECONDS": QUIET,
        "EAGER_SECONDS": EAGER,
        "EAGER_FOR_SECONDS": EAGER_FOR,
        "FIRST_SECONDS": FIRST,
        "SILENT_SECONDS": SILENT,
        "TOGETHER_SECONDS": TOGETHER,
    }.items():
        monkeypatch.setattr(shell_reports, name, value)
    monkeypatch.setattr(second_source, "ASK_SECONDS", ASK)


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    (tmp_path / "token").write_text("t")
    gateways = HttpGateways(TokenFile(tmp_path / "token"), timeout_seconds=0.1)
    made = Team(gateways, [])
    running = asyncio.create_task(made.reports.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await gateways.close()


@pytest.fixture
async def pods() -> AsyncIterator[list[Pod]]:
    """Three pods that answer."""
    made = [Pod(name) for name in "abc"]
    runners = []
    for pod in made:
        app = web.Application()
        app.router.add_get("/evidence", pod.answer)
        runners.append(runner := web.AppRunner(app, shutdown_timeout=0.1))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pod.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield made
    for pod in made:
        pod.hangs = False
    for runner in runners:
        await runner.cleanup()


async def asked_in(pod: Pod, seconds: float) -> int:
    """How often the pod is asked from now on."""
    before = len(pod.asked)
    await asyncio.sleep(seconds)
    return len(pod.asked) - before


async def test_nothing_is_said_before_a_pod_has_answered_and_the_answer_brings_the_key_back(
    team: Team, pods: list[Pod]
) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    assert team.said() == {}
    await team.until(a=Report(1, 3), b=Report(1, 3))
    assert team.queued() == {CHURN}


async def test_a_new_generation_is_looked_for_eagerly_and_brings_the_key_back(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    await team.until(a=Report(1, 3))
    await asyncio.sleep(EAGER_FOR)
    team.queued()
    team.pauses.clear()
    team.said(generation=2)
    await asyncio.sleep(3 * EAGER)
    assert set(team.pauses) == {EAGER}
    pods[0].generations["churn"] = 2
    await soon(lambda: CHURN in team.queued())
    assert team.said(generation=2) == {"a": Report(2, 3)}


async def test_what_everyone_serves_is_read_seldom_and_a_split_often(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    await team.until(a=Report(1, 3))
    await asyncio.sleep(EAGER_FOR)
    assert await asked_in(pods[0], QUIET / 2) <= 1
    team.said(watched=True)
    assert await asked_in(pods[0], 10 * BUSY) >= 3


async def test_a_pod_that_stays_behind_is_read_often_but_not_for_ever_eagerly(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    team.said(generation=2)
    await asyncio.sleep(EAGER_FOR + BUSY)
    team.pauses.clear()
    assert await asked_in(pods[0], 6 * BUSY) >= 2
    assert set(team.pauses) == {BUSY}


async def test_one_read_serves_every_modeldeployment_of_the_namespace(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].generations = {"churn": 1, "fraud": 4}
    team.said(CHURN, 1)
    team.said(FRAUD, 4)
    await team.until(a=Report(1, 3))
    assert team.said(FRAUD, 4) == {"a": Report(4, 3)}
    assert team.queued() == {CHURN, FRAUD}


async def test_a_key_comes_back_with_each_answer_while_a_rollout_is_on_and_else_when_its_condition_changes(
    team: Team, pods: list[Pod]
) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].generations = {"churn": 1, "fraud": 4}
    team.said(CHURN, 1, watched=True)
    team.said(FRAUD, 4)
    await team.until(a=Report(1, 3))
    team.queued()
    team.said(CHURN, 1, watched=True)
    assert await asked_in(pods[0], 8 * BUSY) >= 2
    assert team.queued() == {CHURN}, "the counters have changed, the condition of the other one has not"
    pods[0].generations["fraud"] = 5
    await soon(lambda: FRAUD in team.queued())


async def test_the_pods_of_one_round_bring_the_key_back_together(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    team.said(watched=True)
    await team.until(a=Report(1, 3), b=Report(1, 3))
    team.said(watched=True)
    seen = []
    for _ in range(6):
        team.queued()
        await soon(lambda: team.queue.depth)
        found = team.reports.evidence("team")
        seen.append(
            {name: evidence.deployments["churn"].arms["r", "stable"].attempts for name, evidence in found.items()}
        )
    assert all(counts["a"] == counts["b"] for counts in seen), seen


async def test_a_pod_that_hangs_holds_the_evidence_of_the_others_back_for_a_moment_only(
    team: Team, pods: list[Pod]
) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    team.said(watched=True)
    await team.until(a=Report(1, 3), b=Report(1, 3))
    team.said(watched=True)
    pods[0].hangs = True
    team.queued()
    async with asyncio.timeout(5):
        assert await team.queue.get() == CHURN
    team.queue.done(CHURN)
    assert not team.silent(), "nobody has waited until the other one counts as silent"


async def test_a_rejection_is_told_and_is_over_when_something_newer_was_written(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].rejected["churn"] = (2, "arms: no")
    team.said(generation=2)
    said = await soon(lambda: team.said(generation=2))
    assert said == {"a": Report(1, 3, "InvalidTraffic", "arms: no")}
    assert team.said(generation=3) == {"a": Report(1, 3)}
    pods[0].rejected["churn"] = (0, "generation: no")
    await soon(lambda: team.said(generation=3) == {"a": Report(1, 3, "InvalidTraffic", "generation: no")})


async def test_a_pod_that_does_not_know_the_modeldeployment_says_so(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].generations = {"fraud": 1}
    assert team.said() == {}
    assert await soon(team.said) == {"a": Report(0, 0)}


async def test_a_pod_that_hangs_delays_no_other_and_is_silent_after_three_misses(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    pods[0].hangs = True
    await team.until(b=Report(1, 3))
    assert not team.silent()
    silent = await soon(team.silent)
    assert silent == {"a"}
    assert len(pods[0].asked) == 3
    assert await asked_in(pods[1], 8 * BUSY) >= 2
    assert samples(team.telemetry)[("fairlead_evidence_reads_total", "timeout")] >= 3
    assert samples(team.telemetry)[("fairlead_evidence_reads_total", "ok")] >= 3


async def test_a_pod_that_failed_is_not_asked_eagerly(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].status = 503
    team.said()
    await soon(team.silent)
    assert all(later - earlier >= BUSY for earlier, later in itertools.pairwise(pods[0].asked[:3]))


async def test_a_silent_pod_says_nothing_any_more_and_speaks_again(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    team.said(watched=True)
    await team.until(a=Report(1, 3))
    pods[0].status = 401
    team.queued()
    await soon(team.silent)
    assert team.said(watched=True) == {}
    assert team.queued() == {CHURN}
    assert team.reports.evidence("team") == {}
    before = len(pods[0].asked)
    await soon(lambda: len(pods[0].asked) >= before + 2)
    earlier, later = pods[0].asked[before : before + 2]
    assert later - earlier >= SILENT / 2, "a pod that does not answer is asked less often"
    pods[0].status = 200
    await soon(lambda: not team.silent())
    assert team.queued() == {CHURN}
    assert set(team.reports.evidence("team")) == {"a"}


async def test_pods_come_and_go(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body(), {"kind": "Service", "metadata": {"name": "x"}}, pods[1].body(ready=False)]
    await team.until(a=Report(1, 3))
    await asyncio.sleep(EAGER_FOR)
    team.pods["team"] = [pods[1].body()]
    team.pauses.clear()
    await team.until(b=Report(1, 3))
    assert QUIET not in team.pauses[:-1]


async def test_a_pod_of_the_same_name_is_another_one_and_has_said_nothing(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    await team.until(a=Report(1, 3))
    again = pods[1].body()
    again["metadata"]["name"] = "a"
    pods[1].hangs = True
    team.pods["team"] = [again]
    await team.until(seconds=1)


async def test_namespaces_are_read_apart(team: Team, pods: list[Pod]) -> None:
    team.pods = {"team": [pods[0].body()], "other": [pods[1].body()]}
    pods[1].generations["churn"] = 9
    team.said(CHURN)
    team.said(ELSEWHERE, 9)
    await team.until(a=Report(1, 3))
    said = await soon(lambda: team.said(ELSEWHERE, 9))
    assert said == {"b": Report(9, 3)}


async def test_the_whole_evidence_of_a_namespace_is_kept(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    await team.until(a=Report(1, 3), b=Report(1, 3))
    found = team.reports.evidence("team")
    assert set(found) == {"a", "b"}
    assert found["a"].deployments["churn"].arms["r", "stable"].attempts >= 1
    assert team.reports.evidence("nowhere") == {}


async def test_a_namespace_without_modeldeployments_is_not_read(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    team.said(CHURN, watched=True)
    team.said(FRAUD, watched=True)
    await team.until(a=Report(1, 3))
    team.reports.forget(FRAUD)
    team.reports.forget(FRAUD)
    assert await asked_in(pods[0], 4 * BUSY) >= 1
    team.reports.forget(CHURN)
    await asyncio.sleep(3 * BUSY)
    assert await asked_in(pods[0], 3 * BUSY) == 0
    assert team.reports.evidence("team") == {}
    await team.until(a=Report(1, 3))


async def test_nothing_written_yet_needs_no_haste(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].generations = {}
    team.said(generation=0)
    await asyncio.sleep(3 * FIRST)
    assert set(team.pauses) <= {QUIET}


async def test_a_pod_beyond_the_bound_is_not_asked(
    team: Team, pods: list[Pod], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_reports, "MOST_PODS", 2)
    team.pods["team"] = [pod.body() for pod in reversed(pods)]
    await team.until(a=Report(1, 3), b=Report(1, 3))
    assert not pods[2].asked


def scraped(at: float) -> PodEvidence:
    return PodEvidence(at, 1.0, {})


async def test_prometheus_speaks_for_a_pod_that_is_silent_and_for_no_other(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    team.said(watched=True)
    await team.until_split(a=Report(1, 3), b=Report(1, 3))
    pods[0].status = 503
    team.prometheus.scraped = {"a": scraped(2), "b": scraped(2), "stranger": scraped(2)}
    await soon(lambda: team.reports.evidence("team").get("a") == scraped(2))
    found = team.reports.evidence("team")
    assert set(found) == {"a", "b"}
    assert found["b"].at_seconds == 1
    assert team.silent() == {"a"}, "what it serves, a pod says itself"
    assert set(team.prometheus.asked) == {"team"}
    pods[0].status, pods[0].time = 200, 3.0
    await soon(lambda: team.reports.evidence("team")["a"].at_seconds == 3)


async def test_what_was_scraped_before_the_pod_s_own_last_word_is_not_taken(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].time = 10.0
    team.said(watched=True)
    await team.until_split(a=Report(1, 3))
    pods[0].status = 503
    team.prometheus.scraped = {"a": scraped(9)}
    await soon(lambda: len(team.prometheus.asked) >= 2)
    assert team.reports.evidence("team") == {}
    team.prometheus.scraped = {"a": scraped(11)}
    await soon(lambda: team.reports.evidence("team") == {"a": scraped(11)})


async def test_prometheus_is_left_alone_while_all_pods_answer_or_nothing_is_at_stake(
    team: Team, pods: list[Pod]
) -> None:
    team.pods["team"] = [pods[0].body()]
    team.said(watched=True)
    await team.until_split(a=Report(1, 3))
    await asyncio.sleep(2 * ASK)
    assert team.prometheus.asked == []
    pods[0].status = 503
    team.said(watched=False)
    await soon(lambda: team.reports.follow(CHURN, generation=1, watched=False).silent)
    await asyncio.sleep(2 * QUIET)
    assert team.prometheus.asked == []
    team.said(watched=True)
    await soon(lambda: team.prometheus.asked)


async def test_a_prometheus_that_hangs_delays_no_pod(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body(), pods[1].body()]
    pods[0].status = 503
    team.prometheus.hangs = True
    team.said(watched=True)
    await soon(lambda: team.prometheus.asked)
    assert await asked_in(pods[1], 10 * BUSY) >= 3
    assert team.prometheus.asked == ["team"]
    team.prometheus.hangs = False


async def test_evidence_may_be_without_news_for_longer_while_prometheus_has_a_part_in_it(
    team: Team, pods: list[Pod]
) -> None:
    team.pods["team"] = [pods[0].body()]
    team.said(watched=True)
    await team.until_split(a=Report(1, 3))
    assert team.reports.stale_seconds("team") == 15
    pods[0].status = 503
    team.prometheus.scraped = {"a": scraped(2)}
    await soon(lambda: team.reports.evidence("team") == {"a": scraped(2)})
    assert team.reports.stale_seconds("team") == STALE
    pods[0].status, pods[0].time = 200, 3.0
    await soon(lambda: not team.silent())
    assert team.reports.stale_seconds("team") == STALE, "the next look may still bring requests of long ago"
    await soon(lambda: team.reports.stale_seconds("team") == 15)


async def test_both_blind_is_unknown_after_a_while(team: Team, pods: list[Pod]) -> None:
    team.pods["team"] = [pods[0].body()]
    pods[0].status = 503
    team.prometheus.scraped = {"a": scraped(2)}
    team.said(watched=True)
    await soon(lambda: team.reports.evidence("team"))
    await soon(lambda: not team.reports.evidence("team"), STALE + 2)
    assert team.reports.stale_seconds("team") == 15


async def test_without_a_prometheus_nobody_speaks_for_a_silent_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    clock, queue = SystemClock(), WorkQueue(SystemClock(), jitter=lambda seconds: seconds)
    gateways = HttpGateways(TokenFile(tmp_path / "token"))
    alone = Reports(gateways, queue, clock, Telemetry(), pods=lambda _: [], jitter=lambda seconds: seconds)
    assert alone.evidence("team") == {}
    assert alone.stale_seconds("team") == 15
    await gateways.close()

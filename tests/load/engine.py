"""The open loop: sends each request when it is due and sorts what comes back."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Callable

from tests.load.expect import wrong_body
from tests.load.plan import Connections, LoadPlan
from tests.load.report import Failure, Latency, LoadReport, Outcome
from tests.load.target import Target
from tests.load.wire import Answer, Connection, MalformedAnswerError, render_requests

KEPT_FAILURES = 20
PROGRESS_SECONDS = 5.0

Progress = Callable[[str], None]


class OpenLoop:
    """One run of one plan; every attribute belongs to the event loop's thread."""

    def __init__(self, plan: LoadPlan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._target = Target.of(plan.url)
        self._requests = itertools.cycle(render_requests(plan, self._target))
        self._idle: deque[Connection] = deque()
        self._outcomes: Counter[Outcome] = Counter()
        self._codes: Counter[str] = Counter()
        self._by_header: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._failures: list[Failure] = []
        self._in_flight: set[asyncio.Task[None]] = set()
        self._opened = self._sent = self._unsent = self._late = self._due = 0
        self._max_delay_seconds = 0.0
        self._started = 0.0
        self._stop = asyncio.Event()
        self.first_sent = asyncio.Event()

    def stop(self) -> None:
        """Let no further request fall due; those in flight are still awaited."""
        self._stop.set()

    async def run(self) -> LoadReport:
        """Send the whole plan, or until `stop`, and await every answer."""
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        told = self._started
        for index in range(self._plan.planned):
            due = self._started + index / self._plan.rate
            if await self._stopped_before(due):
                break
            self._due += 1
            self._launch(due)
            if loop.time() - told >= PROGRESS_SECONDS:
                told = loop.time()
                self._progress(self._progress_line())
        if self._in_flight:
            await asyncio.wait(self._in_flight)
        for connection in self._idle:
            connection.close()
        return self._report(loop.time() - self._started)

    async def _stopped_before(self, due: float) -> bool:
        """Wait until `due`; True when the run is stopped earlier."""
        wait_seconds = due - asyncio.get_running_loop().time()
        if wait_seconds <= 0:
            await asyncio.sleep(0)
            return self._stop.is_set()
        try:
            async with asyncio.timeout(wait_seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    def _launch(self, due: float) -> None:
        if len(self._in_flight) >= self._plan.max_in_flight:
            self._unsent += 1
            return
        task = asyncio.create_task(self._one(due))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _one(self, due: float) -> None:
        """Send one request and count it once."""
        loop = asyncio.get_running_loop()
        delay_seconds = loop.time() - due
        self._sent += 1
        self._max_delay_seconds = max(self._max_delay_seconds, delay_seconds)
        self._late += delay_seconds > self._plan.late_seconds
        self.first_sent.set()
        outcome, detail = await self._attempt(due)
        self._outcomes[outcome] += 1
        if outcome is not Outcome.OK and len(self._failures) < KEPT_FAILURES:
            self._failures.append(Failure(round(due - self._started, 3), outcome.value, detail))

    async def _attempt(self, due: float) -> tuple[Outcome, str]:
        request = next(self._requests)
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._plan.timeout_seconds):
                connection = self._take_idle()
                if connection is None:
                    self._opened += 1
                    try:
                        connection = await Connection.open(self._target)
                    except ConnectionRefusedError as error:
                        return Outcome.REFUSED, str(error)
                    except TimeoutError:
                        raise
                    except OSError as error:
                        return Outcome.UNREACHABLE, f"{type(error).__name__}: {error}"
                answer = await connection.exchange(request)
        except TimeoutError:
            outcome, detail = Outcome.TIMEOUT, f"no whole answer within {self._plan.timeout_seconds} s"
        except OSError as error:
            outcome, detail = Outcome.RESET, f"{type(error).__name__}: {error}"
        except MalformedAnswerError as error:
            outcome, detail = Outcome.MALFORMED, str(error)
        else:
            self._give_back(connection, answer)
            self._latencies.append(asyncio.get_running_loop().time() - due)
            return self._judge(answer)
        if connection is not None:
            connection.close()
        return outcome, detail

    def _judge(self, answer: Answer) -> tuple[Outcome, str]:
        if self._plan.count_header is not None:
            self._by_header[answer.headers.get(self._plan.count_header.lower(), "")] += 1
        if not 200 <= answer.status < 300:
            self._codes[str(answer.status)] += 1
            return Outcome.NON_2XX, f"{answer.status} {answer.body[:200].decode('utf-8', 'replace')}"
        problem = wrong_body(self._plan, answer.body)
        return (Outcome.OK, "") if problem is None else (Outcome.WRONG_BODY, problem)

    def _take_idle(self) -> Connection | None:
        """The connection idle for longest, so that all are used in turn; None when one should be opened."""
        if self._plan.connections is Connections.FRESH:
            return None
        now = asyncio.get_running_loop().time()
        while self._idle and (now - self._idle[0].used_at > self._plan.idle_seconds or self._idle[0].is_stale()):
            self._idle.popleft().close()
        busy = len(self._in_flight) - 1
        if len(self._idle) + busy < self._plan.keepalive_connections or not self._idle:
            return None
        return self._idle.popleft()

    def _give_back(self, connection: Connection, answer: Answer) -> None:
        if self._plan.connections is Connections.FRESH or not answer.reusable:
            connection.close()
            return
        connection.used_at = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def _progress_line(self) -> str:
        failed = sum(self._outcomes.values()) - self._outcomes[Outcome.OK]
        return f"load: {self._sent}/{self._plan.planned} sent, {failed} failed, {self._late + self._unsent} not on time"

    def _report(self, elapsed_seconds: float) -> LoadReport:
        count = self._outcomes
        return LoadReport(
            url=self._plan.url,
            planned=self._due,
            sent=self._sent,
            unsent=self._unsent,
            late=self._late,
            ok=count[Outcome.OK],
            non2xx=count[Outcome.NON_2XX],
            non2xx_by_code=dict(self._codes),
            resets=count[Outcome.RESET],
            refused=count[Outcome.REFUSED],
            unreachable=count[Outcome.UNREACHABLE],
            timeouts=count[Outcome.TIMEOUT],
            wrong_bodies=count[Outcome.WRONG_BODY],
            malformed=count[Outcome.MALFORMED],
            connections_opened=self._opened,
            elapsed_seconds=round(elapsed_seconds, 3),
            max_delay_seconds=round(self._max_delay_seconds, 6),
            latency=Latency.of(self._latencies),
            first_failures=tuple(self._failures),
            answers_by_header=dict(self._by_header),
        )

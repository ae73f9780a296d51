import signal
import threading

import pytest
from tests.load import LoadPlan, LoadProcessError, background_load, run_load
from tests.unit.load.misbehaving import ERROR, OK, Exchange, misbehaving


def test_run_load_returns_the_counts_of_a_run_in_another_process() -> None:
    def script(exchange: Exchange) -> None:
        exchange.answer(ERROR if exchange.number % 10 == 0 else OK)

    with misbehaving(script) as server:
        report = run_load(LoadPlan(url=server.url, rate=100, seconds=0.5, late_seconds=1))
    assert (report.sent, report.ok, report.non2xx_by_code) == (50, 45, {"500": 5})
    assert report.first_failures[0].outcome == "non2xx"
    assert report.latency is not None


def test_background_load_ends_when_the_report_is_asked_for() -> None:
    with (
        misbehaving(lambda e: e.answer(OK)) as server,
        background_load(LoadPlan(url=server.url, rate=100, seconds=60, late_seconds=1)) as load,
    ):
        threading.Event().wait(0.5)
        assert load.is_running
        report = load.report()
    assert 20 <= report.sent < 1000
    assert (report.failed, report.planned) == (0, report.sent)
    assert server.requests == report.sent


def test_a_report_after_the_plan_ran_out_is_refused_but_finish_gives_it() -> None:
    with (
        misbehaving(lambda e: e.answer(OK)) as server,
        background_load(LoadPlan(url=server.url, rate=50, seconds=0.1, late_seconds=1)) as load,
    ):
        load._process.wait(10)
        with pytest.raises(LoadProcessError, match="ran out before"):
            load.report()
        assert load.finish().sent == 5


def test_a_killed_load_process_is_an_error_and_not_zero_failures() -> None:
    with (
        misbehaving(lambda e: e.answer(OK)) as server,
        background_load(LoadPlan(url=server.url, rate=50, seconds=60)) as load,
    ):
        load._process.send_signal(signal.SIGKILL)
        with pytest.raises(LoadProcessError, match="expected a report"):
            load.finish()


def test_leaving_the_block_ends_the_process() -> None:
    with misbehaving(lambda e: e.answer(OK)) as server:
        with background_load(LoadPlan(url=server.url, rate=50, seconds=60)) as load:
            pass
        assert not load.is_running


def test_what_the_process_says_can_be_heard() -> None:
    heard: list[str] = []
    with (
        misbehaving(lambda e: e.answer(OK)) as server,
        background_load(LoadPlan(url=server.url, rate=50, seconds=5.3, late_seconds=1), heard.append) as load,
    ):
        load.finish()
    assert any("sent, 0 failed" in line for line in heard)

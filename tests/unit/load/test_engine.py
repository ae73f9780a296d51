import asyncio
import threading
from typing import Any

import pytest
from tests.load import Connections, LoadPlan, LoadReport
from tests.load.engine import OpenLoop
from tests.unit.load.misbehaving import ERROR, OK, Exchange, Script, free_port, misbehaving


def run(plan: LoadPlan) -> LoadReport:
    report = asyncio.run(OpenLoop(plan, progress=lambda line: None).run())
    assert report.planned == report.sent + report.unsent
    assert report.sent == report.ok + (
        report.non2xx
        + report.resets
        + report.refused
        + report.unreachable
        + report.timeouts
        + report.wrong_bodies
        + report.malformed
    )
    return report


def run_against(script: Script, **values: Any) -> LoadReport:
    with misbehaving(script) as server:
        return run(LoadPlan(**{"url": server.url, "rate": 250, "seconds": 0.12, "late_seconds": 1.0, **values}))


def every_third(act: Any) -> Script:
    """Do `act` on every third request and answer the others well."""

    def script(exchange: Exchange) -> None:
        if exchange.number % 3 == 2:
            act(exchange)
        else:
            exchange.answer(OK)

    return script


@pytest.mark.parametrize("connections", list(Connections))
def test_all_good_answers_are_ok(connections: Connections) -> None:
    report = run_against(lambda e: e.answer(OK), connections=connections)
    assert (report.sent, report.ok, report.failed, report.on_time) == (30, 30, 0, True)
    assert report.latency is not None
    assert 0 < report.latency.p50_seconds <= report.latency.max_seconds


def test_fresh_opens_one_connection_per_request() -> None:
    assert run_against(lambda e: e.answer(OK), connections=Connections.FRESH).connections_opened == 30


def test_keepalive_reuses_its_connections_in_turn() -> None:
    assert 3 <= run_against(lambda e: e.answer(OK), keepalive_connections=3).connections_opened <= 10


@pytest.mark.parametrize("connections", list(Connections))
def test_an_error_status_is_counted_with_its_code(connections: Connections) -> None:
    report = run_against(every_third(lambda e: e.answer(ERROR)), connections=connections)
    assert (report.ok, report.non2xx, report.non2xx_by_code) == (20, 10, {"500": 10})
    assert report.first_failures[0].detail == "500 oops"


@pytest.mark.parametrize("connections", list(Connections))
def test_a_reset_is_counted_and_not_retried(connections: Connections) -> None:
    with misbehaving(every_third(lambda e: e.reset())) as server:
        report = run(LoadPlan(url=server.url, rate=250, seconds=0.12, connections=connections, late_seconds=1))
    assert (report.ok, report.resets, server.requests) == (20, 10, 30)


def test_a_close_before_the_answer_is_a_reset() -> None:
    assert run_against(every_third(lambda e: e.close())).resets == 10


def test_an_answer_cut_short_is_a_reset() -> None:
    def cut(exchange: Exchange) -> None:
        exchange.answer(OK[:-3])
        exchange.close()

    assert run_against(every_third(cut)).resets == 10


def test_a_hanging_answer_is_a_timeout_and_does_not_slow_the_others() -> None:
    with misbehaving(every_third(lambda e: e.pause(5))) as server:
        report = run(LoadPlan(url=server.url, rate=250, seconds=0.12, timeout_seconds=0.5, late_seconds=1))
    assert (report.sent, report.ok, report.timeouts) == (30, 20, 10)
    assert report.elapsed_seconds < 2


def test_a_refused_connection_is_its_own_class() -> None:
    report = run(LoadPlan(url=f"http://127.0.0.1:{free_port()}/", rate=100, seconds=0.1, late_seconds=1))
    assert (report.sent, report.refused, report.ok) == (10, 10, 0)


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    report = run(LoadPlan(url="http://no-such-host.invalid/", rate=20, seconds=0.1, late_seconds=1))
    assert (report.sent, report.unreachable) == (2, 2)


def test_a_wrong_body_is_counted_though_the_status_is_200() -> None:
    lie = OK.replace(b"[1,2]", b"[1,3]")
    report = run_against(every_third(lambda e: e.answer(lie)), expect_fields={"a.b": [1, 2]})
    assert (report.ok, report.wrong_bodies) == (20, 10)
    assert report.first_failures[0].detail == "a.b: expected [1, 2], got '[1, 3]'"


def test_what_is_not_http_is_malformed() -> None:
    assert run_against(every_third(lambda e: e.answer(b"hello there\r\n"))).malformed == 10


def test_chunked_and_length_less_answers_are_read_whole() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3;x=y\r\n "b\r\n2\r\n"}\r\n0\r\n\r\n'

    def script(exchange: Exchange) -> None:
        if exchange.number % 2:
            exchange.answer(chunked)
        else:
            exchange.answer(b'HTTP/1.1 200 OK\r\n\r\n{"a": "b"}')
            exchange.close()

    report = run_against(script, expect_fields={"a": "b"})
    assert (report.ok, report.failed) == (30, 0)


def test_a_server_that_announces_the_close_loses_no_request() -> None:
    def script(exchange: Exchange) -> None:
        exchange.answer(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        exchange.pause(0.05)
        exchange.close()

    report = run_against(script, keepalive_connections=1)
    assert (report.ok, report.connections_opened) == (30, 30)


def test_an_idle_connection_closed_by_the_server_is_replaced_and_not_a_failure() -> None:
    def script(exchange: Exchange) -> None:
        exchange.answer(OK)
        exchange.close()

    report = run_against(script, rate=20, seconds=0.5, keepalive_connections=1)
    assert (report.ok, report.failed) == (10, 0)


def test_send_times_are_kept_while_the_server_stalls_and_latency_runs_from_them() -> None:
    def stall_once(exchange: Exchange) -> None:
        if exchange.number == 0:
            exchange.pause(0.4)
        exchange.answer(OK)

    report = run_against(stall_once, rate=100, seconds=0.3)
    assert (report.ok, report.late) == (30, 0)
    assert report.latency is not None
    assert report.latency.max_seconds > 0.35
    assert report.latency.p50_seconds < 0.2


def test_a_stalled_generator_counts_its_late_requests_and_still_sends_them() -> None:
    async def stalled(plan: LoadPlan) -> LoadReport:
        engine = OpenLoop(plan, progress=lambda line: None)
        run = asyncio.create_task(engine.run())
        await engine.first_sent.wait()
        stall_the_loop()
        return await run

    with misbehaving(lambda e: e.answer(OK)) as server:
        report = asyncio.run(stalled(LoadPlan(url=server.url, rate=100, seconds=0.5)))
    assert (report.sent, report.ok) == (50, 50)
    assert 15 <= report.late <= 45
    assert report.max_delay_seconds > 0.2
    assert not report.on_time
    assert report.latency is not None
    assert report.latency.max_seconds > 0.2


def stall_the_loop() -> None:
    """Block the event loop's thread for 0.3 s."""
    threading.Event().wait(0.3)


def test_what_exceeds_max_in_flight_is_unsent_and_told() -> None:
    report = run_against(lambda e: e.pause(5), max_in_flight=5, timeout_seconds=0.5)
    assert (report.planned, report.sent, report.unsent, report.timeouts) == (30, 5, 25, 5)
    assert not report.on_time


def test_answers_are_counted_by_a_header_whatever_their_status() -> None:
    def script(exchange: Exchange) -> None:
        named = [b"", b"X-Who: a\r\n", b"x-who: b\r\n"][exchange.number % 3]
        answer = ERROR if exchange.number % 2 else OK
        exchange.answer(answer.replace(b"Content-Length", named + b"Content-Length"))

    report = run_against(script, count_header="X-who")
    assert report.answers_by_header == {"": 10, "a": 10, "b": 10}
    assert report.non2xx == 15


def test_several_bodies_are_sent_in_turn() -> None:
    seen: list[bytes] = []

    def script(exchange: Exchange) -> None:
        seen.append(exchange.request)
        exchange.answer(OK)

    run_against(script, rate=100, seconds=0.05, bodies=("[1]", "[2]"), keepalive_connections=1)
    assert sorted(request.split(b"\r\n\r\n")[1] for request in seen) == [b"[1]", b"[1]", b"[1]", b"[2]", b"[2]"]

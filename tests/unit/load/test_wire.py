from tests.load import Connections, LoadPlan
from tests.load.target import Target
from tests.load.wire import render_requests


def request(**values: object) -> str:
    plan = LoadPlan(**{"url": "http://h:81/p?q=1", "rate": 1, "seconds": 1, **values})  # type: ignore[arg-type]
    return render_requests(plan, Target.of(plan.url))[0].decode()


def test_without_a_body_the_request_is_a_get() -> None:
    assert request() == "GET /p?q=1 HTTP/1.1\r\nHost: h:81\r\nAccept: */*\r\nUser-Agent: fairlead-load\r\n\r\n"


def test_a_body_is_posted_with_its_length_in_bytes() -> None:
    text = request(body='"é"')
    assert text.startswith("POST /p?q=1 HTTP/1.1\r\n")
    assert "Content-Length: 4\r\n" in text
    assert text.endswith('\r\n\r\n"é"')


def test_fresh_connections_say_that_they_close() -> None:
    assert "Connection: close\r\n" in request(connections=Connections.FRESH)


def test_the_plans_headers_win() -> None:
    assert "Host: model.example\r\n" in request(headers={"Host": "model.example"})

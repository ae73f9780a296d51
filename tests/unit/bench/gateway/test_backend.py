import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.bench.gateway import backend


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test meets a pod that has just started."""
    monkeypatch.setattr(backend, "behaviour", dict.fromkeys(backend.behaviour, 0.0))
    for counter in ("answers", "failures", "answers_by_tenth", "failures_by_tenth"):
        monkeypatch.setattr(backend, counter, Counter())
    yield


async def ask(path: str, query: str = "") -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await backend.app({"type": "http", "path": path, "query_string": query.encode()}, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_an_answer_has_200_bytes() -> None:
    status, body = await ask("/v2/models/x/infer")
    assert (status, len(body)) == (200, 200)


async def test_told_to_fail_it_fails_and_counts_both() -> None:
    await ask("/")
    await ask("/-/behave", "fail=1")
    assert (await ask("/"))[0] == 500
    counts = json.loads((await ask("/-/counts"))[1])
    assert (sum(counts["answers"].values()), sum(counts["failures"].values())) == (2, 1)
    assert (sum(counts["answers_by_tenth"].values()), sum(counts["failures_by_tenth"].values())) == (2, 1)


async def test_a_poisoned_request_fails_on_every_version() -> None:
    assert (await ask("/poison"))[0] == 500
    assert (await ask("/"))[0] == 200


async def test_told_to_be_good_again_it_is() -> None:
    await ask("/-/behave", "fail=1")
    await ask("/-/behave", "fail=0")
    assert (await ask("/"))[0] == 200


async def test_prometheus_is_not_counted() -> None:
    assert (await ask("/metrics"))[0] == 404
    assert json.loads((await ask("/-/counts"))[1])["answers"] == {}


async def test_told_to_hang_it_answers_nobody() -> None:
    await ask("/-/behave", "hang=1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask("/")

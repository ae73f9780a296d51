import json
from dataclasses import replace

import pytest
from tests.demo.progress import DemoError
from tests.demo.users import count_users, plan_users
from tests.load import Latency, LoadReport

REPORT = LoadReport(
    url="http://h/", planned=40, sent=40, unsent=0, late=2, ok=40, non2xx=0, non2xx_by_code={}, resets=0, refused=0,
    unreachable=0, timeouts=0, wrong_bodies=0, malformed=0, connections_opened=1, elapsed_seconds=1.0,
    max_delay_seconds=0.1, latency=Latency(0.004, 0.01, 0.02, 0.03), first_failures=(),
)  # fmt: skip


def test_every_row_is_a_request_for_one_prediction() -> None:
    plan = plan_users("http://10.0.0.1", "churn", [[1.5, 2.0], [3.0, 4.0]])
    assert plan.url == "http://10.0.0.1/v2/models/churn/infer"
    bodies = [json.loads(body)["inputs"] for body in plan.bodies]
    assert [(item["shape"], item["data"]) for [item] in bodies] == [([1, 2], [1.5, 2.0]), ([1, 2], [3.0, 4.0])]


def test_users_who_were_all_answered_are_counted() -> None:
    assert count_users(REPORT) == "40 requests at 40/s, 0 failed, p99 20 ms"
    assert count_users(replace(REPORT, unsent=3)).endswith("3 could not be sent")


@pytest.mark.parametrize("report", [replace(REPORT, ok=39, non2xx=1), replace(REPORT, sent=0, ok=0)])
def test_a_user_without_an_answer_fails_the_demo_and_so_do_no_users(report: LoadReport) -> None:
    with pytest.raises(DemoError, match="expected every request answered"):
        count_users(report)

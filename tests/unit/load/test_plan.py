import pytest
from tests.load import BadPlanError, Connections, LoadPlan


def test_a_plan_survives_the_way_to_another_process() -> None:
    plan = LoadPlan(
        url="http://h:1/p?q=1",
        rate=2.5,
        seconds=3,
        body="{}",
        headers={"X": "y"},
        expect_fields={"a.0": [1]},
        expect_body="x+",
        connections=Connections.FRESH,
    )
    assert LoadPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(("rate", "seconds", "planned"), [(100, 30, 3000), (0.5, 1, 1), (3, 0.5, 2), (10, 0.3, 3)])
def test_planned_counts_the_requests_due_within_the_time(rate: float, seconds: float, planned: int) -> None:
    assert LoadPlan(url="http://h/", rate=rate, seconds=seconds).planned == planned


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 0}, "rate: expected a number above 0, got 0"),
        ({"seconds": float("inf")}, "seconds: expected a number above 0, got inf"),
        ({"url": "https://h/"}, "url: expected http://"),
        ({"url": "h:80"}, "url: expected http://"),
        ({"expect_body": "("}, "expect_body: expected a regular expression"),
    ],
)
def test_a_bad_plan_names_its_field(values: dict[str, object], message: str) -> None:
    with pytest.raises(BadPlanError, match=message.replace("(", r"\(")):
        LoadPlan(**{"url": "http://h/", "rate": 1, "seconds": 1, **values})  # type: ignore[arg-type]


def test_a_plan_with_several_bodies_survives_the_way_to_its_process() -> None:
    plan = LoadPlan(url="http://h/", rate=1, seconds=1, bodies=("[1]", "[2]"))
    assert LoadPlan.from_json(plan.to_json()) == plan
    with pytest.raises(BadPlanError, match="bodies: expected none beside a body, got 2"):
        LoadPlan(url="http://h/", rate=1, seconds=1, body="[0]", bodies=("[1]", "[2]"))

from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.test_claims import accepted, claim

from fairlead_gateway.claims import Rejection, RejectionReason
from fairlead_gateway.counters import Series
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin
from fairlead_gateway.evidence import Evidence, render_text, standing_series
from fairlead_gateway.gateway import Gateway, Standing
from fairlead_gateway.render import Deployment


class Admin(EnvoyAdmin):
    """An Envoy that has counted nothing, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Any = {"stats": []}
        self.started = 100.5

    async def get_json(self, path: str) -> Any:
        self.asked += 1
        return self.answer

    def started_at(self) -> float:
        return self.started


def standing(**changed: Any) -> Standing:
    """One ModelDeployment that is served."""
    served = accepted(claim("churn", generation=7, epoch=2))
    deployment = Deployment("churn", served.traffic, {})
    base: dict[str, Any] = {"applied": {"churn": served}, "deployments": [deployment], "rejected": {}}
    return Standing(**{**base, "rejections": {}, "complete": True, **changed})


class Known(Gateway):
    """A gateway that stands as it is told."""

    def __init__(self, told: Standing) -> None:
        self.told = told

    @property
    def standing(self) -> Standing:
        return self.told


REJECTED = {"late": Rejection("uid", 9, RejectionReason.INVALID, 'status.traffic.port: "80"\\x')}


async def test_the_text_has_times_generations_and_counters_from_the_first_moment() -> None:
    text = await Evidence(Admin(), Known(standing()), lambda: 12.25).evidence()
    lines = text.splitlines()
    assert lines[:4] == [
        "# TYPE fairlead_gateway_time_seconds gauge",
        "fairlead_gateway_time_seconds 12.25",
        "# TYPE fairlead_gateway_start_time_seconds gauge",
        "fairlead_gateway_start_time_seconds 100.5",
    ]
    assert 'fairlead_gateway_traffic_generation{modeldeployment="churn"} 7' in lines
    assert 'fairlead_gateway_traffic_epoch{modeldeployment="churn"} 2' in lines
    assert 'fairlead_gateway_rejections_total{modeldeployment="churn"} 0' in lines
    assert 'fairlead_gateway_attempts_total{modeldeployment="churn",revision="churn-1",use="stable"} 0' in lines
    assert text.endswith("\n")


async def test_messages_are_for_the_operator_alone() -> None:
    told = standing(rejected=REJECTED, rejections={"late": 3})
    evidence = Evidence(Admin(), Known(told), lambda: 0.0)
    labels = 'modeldeployment="late",generation="9",reason="Invalid"'
    assert f"fairlead_gateway_rejected{{{labels}}} 1\n" in await evidence.metrics()
    message = r'message="status.traffic.port: \"80\"\\x"'
    assert f"fairlead_gateway_rejected{{{labels},{message}}} 1\n" in await evidence.evidence()
    assert 'fairlead_gateway_rejections_total{modeldeployment="late"} 3\n' in await evidence.metrics()


async def test_envoy_is_asked_at_most_every_200_ms() -> None:
    admin, now = Admin(), [10.0]
    evidence = Evidence(admin, Known(standing()), lambda: now[0])
    first = await evidence.evidence()
    now[0], admin.started = 10.15, 200.0
    assert await evidence.evidence() == first
    assert admin.asked == 1
    now[0] = 10.25
    assert "fairlead_gateway_start_time_seconds 200\n" in await evidence.metrics()
    assert admin.asked == 2


@pytest.mark.parametrize("answer", [[], {}, {"stats": [{}]}, None])
async def test_an_answer_of_another_shape_is_an_admin_error(answer: Any) -> None:
    admin = Admin()
    admin.answer = answer
    with pytest.raises(AdminError, match="expected Envoy's statistics"):
        await Evidence(admin, Known(standing()), lambda: 0.0).evidence()


def test_one_that_was_never_served_has_no_generation() -> None:
    told = standing(applied={}, deployments=[], rejected=REJECTED, rejections={"late": 1})
    names = [series.name.removeprefix("fairlead_gateway_") for series in standing_series(told, messages=True)]
    assert names == ["rejections_total", "rejected"]


def test_the_series_of_one_name_stand_together() -> None:
    series = [Series("a_total", (("x", "1"),), 1), Series("b", (), 0.5), Series("a_total", (("x", "2\n"),), 2.0)]
    assert (
        render_text(series) == '# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2\\n"} 2\n# TYPE b gauge\nb 0.5\n'
    )


def test_a_gateway_that_has_just_started_stands_incomplete(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, EnvoyAdmin(tmp_path / "admin.sock"), lambda: 0.0, "0.0.0.0")
    gateway.prepare()
    assert gateway.standing == Standing({}, [], {}, {}, False)

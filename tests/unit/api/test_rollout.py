"""How a new revision earns its traffic, as users write it."""

from fairlead.api.rollout import DEFAULT_STEPS, Canary, Checks, Guard, Shadow


def test_what_users_write_is_what_is_read() -> None:
    assert Checks.model_validate({"maxLatencyP99": "300ms"}).max_latency_p99 == "300ms"
    assert Guard.model_validate({"keepWarm": "one"}).keep_warm == "one"
    assert Canary.model_validate({"steps": [{"weight": 5, "minRequests": 9}]}).wire() == {
        "steps": [{"weight": 5, "minRequests": 9}]
    }


def test_the_defaults_are_those_of_the_reference() -> None:
    assert [step.weight for step in DEFAULT_STEPS] == [5, 25, 50]
    assert Shadow().wire() == {"percent": 20, "minRequests": 150, "minDuration": "1m", "onPass": "canary"}
    assert Checks().wire() == {"maxErrorRate": "2%", "maxLatencyP99": "off", "mode": "enforce", "alpha": "1%"}
    assert Guard().wire() == {"duration": "10m", "controlPercent": 5, "keepWarm": "full"}

from tests.bench.rollback.measure import Case, Run
from tests.load import Connections


def test_a_run_is_written_down_and_read_again() -> None:
    run = Run("a", 2.5, 20.0, 500, 100, 5000, 0, True, "ErrorsAboveStable", {"500": 1})
    assert Run.from_json(run.to_json()) == run


def test_the_share_that_tells_a_step_from_the_probe_is_halfway() -> None:
    assert Case("a", 0.2).halfway_percent == 27.5
    assert Case("a", 0.2, weights=(17, 50)).halfway_percent == 11


def test_only_a_version_that_users_are_not_shielded_from_ends_with_its_first_brake() -> None:
    assert Case("a", 0.2).ends == Case("a", 0.2, failover=False, to_the_end=True).ends == {"RolledBack"}
    assert Case("a", 0.2, failover=False).ends == {"RolledBack", "Braked"}


def test_a_case_says_its_steps_and_whether_users_are_shielded() -> None:
    case = Case("a", 0.2, weights=(17, 50), connections=Connections.FRESH, failover=False)
    assert case.rollout == {"canary": {"steps": [{"weight": 17}, {"weight": 50}], "failover": False}}

"""The operator's metrics."""

from prometheus_client.parser import text_string_to_metric_families
from tests.unit.builders import serving_body
from tests.unit.shell.in_memory import MD, FakeClock

from fairlead.shell.queue import WorkQueue
from fairlead.shell.telemetry import READS, RESULTS, Telemetry


def samples(telemetry: Telemetry, queue: WorkQueue | None = None, **more: object) -> dict[tuple[str, ...], float]:
    phases = more.get("phases", [])
    assert isinstance(phases, list)
    text = telemetry.render(
        queue or WorkQueue(FakeClock(), jitter=lambda seconds: seconds),
        lambda: phases,
        deployments=lambda: [],
        leader=bool(more.get("leader")),
    ).decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_series_of_every_result_exist_before_anything_has_happened() -> None:
    found = samples(Telemetry())
    for kind in ("ModelDeployment", "TrainingJob"):
        for result in RESULTS:
            assert found[("fairlead_reconcile_total", *sorted((kind, result)))] == 0


def test_a_reconcile_is_counted_and_timed() -> None:
    telemetry = Telemetry()
    telemetry.reconciled("TrainingJob", "settled", 0.25)
    found = samples(telemetry)
    assert found[("fairlead_reconcile_total", "TrainingJob", "settled")] == 1
    assert found[("fairlead_reconcile_duration_seconds_sum", "TrainingJob")] == 0.25


def test_requests_are_counted_by_verb_and_code() -> None:
    telemetry = Telemetry()
    telemetry.requested("apply", 200)
    telemetry.requested("apply", 0)
    found = samples(telemetry)
    assert found[("fairlead_api_requests_total", "200", "apply")] == 1
    assert found[("fairlead_api_requests_total", "0", "apply")] == 1


def test_requests_to_the_registry_are_counted_by_outcome_and_timed() -> None:
    telemetry = Telemetry()
    assert samples(telemetry)[("fairlead_registry_requests_total", "unavailable")] == 0
    telemetry.asked_registry("unavailable", 4.0)
    found = samples(telemetry)
    assert found[("fairlead_registry_requests_total", "unavailable")] == 1
    assert found[("fairlead_registry_request_duration_seconds_sum",)] == 4.0


def test_what_the_watch_missed_is_counted_by_kind() -> None:
    telemetry = Telemetry()
    telemetry.missed("Pod", 3)
    assert samples(telemetry)[("fairlead_watch_missed_total", "Pod")] == 3


def test_a_kind_of_which_nothing_was_missed_yet_is_there_at_zero() -> None:
    assert samples(Telemetry())[("fairlead_watch_missed_total", "ModelDeployment")] == 0


def test_resources_are_counted_by_phase_and_a_phase_without_any_is_zero_again() -> None:
    telemetry = Telemetry()
    found = samples(telemetry, phases=[("TrainingJob", "Running"), ("TrainingJob", "Running")])
    assert found[("fairlead_resources", "Running", "TrainingJob")] == 2
    assert found[("fairlead_resources", "ModelDeployment", "Stable")] == 0
    assert samples(telemetry)[("fairlead_resources", "Running", "TrainingJob")] == 0


def test_queue_and_leadership_are_read_when_they_are_asked_for() -> None:
    telemetry, clock = Telemetry(), FakeClock()
    queue = WorkQueue(clock, jitter=lambda seconds: seconds)
    queue.add(MD)
    clock.advance(7)
    found = samples(telemetry, queue, leader=True)
    assert (found[("fairlead_queue_depth",)], found[("fairlead_queue_oldest_seconds",)]) == (1, 7)
    assert found[("fairlead_leader",)] == 1
    assert samples(telemetry)[("fairlead_leader",)] == 0


def test_a_dependency_has_a_series_once_it_was_asked() -> None:
    telemetry = Telemetry()
    telemetry.answered("mlflow", up=True)
    telemetry.answered("prometheus", up=False)
    found = samples(telemetry)
    assert found[("fairlead_dependency_up", "mlflow")] == 1
    assert found[("fairlead_dependency_up", "prometheus")] == 0


def test_reads_of_evidence_are_counted_by_outcome_and_timed() -> None:
    telemetry = Telemetry()
    assert all(samples(telemetry)[("fairlead_evidence_reads_total", outcome)] == 0 for outcome in READS)
    telemetry.read_evidence("timeout", 1.0)
    found = samples(telemetry)
    assert found[("fairlead_evidence_reads_total", "timeout")] == 1
    assert found[("fairlead_evidence_read_duration_seconds_sum",)] == 1.0


def test_the_statuses_of_modeldeployments_are_read_when_they_are_asked_for() -> None:
    telemetry, queue = Telemetry(), WorkQueue(FakeClock(), jitter=lambda seconds: seconds)
    known = [serving_body(status={"phase": "Stable"})]

    def render() -> str:
        return telemetry.render(queue, lambda: [], deployments=lambda: known, leader=True).decode()

    series = 'fairlead_modeldeployment_phase{modeldeployment="churn",namespace="team",phase="Stable"} 1.0'
    assert series in render()
    known.clear()
    assert "fairlead_modeldeployment_phase" not in render()

"""Reading the operator's metrics."""

from tests.bench.measure import reconciles, stable

METRICS = """# TYPE fairlead_reconcile_total counter
fairlead_reconcile_total{kind="ModelDeployment",result="settled"} 640.0
fairlead_reconcile_total{kind="ModelDeployment",result="retry"} 0.0
fairlead_reconcile_total{kind="TrainingJob",result="settled"} 3.0
fairlead_resources{kind="ModelDeployment",phase="Starting"} 1.0
fairlead_resources{kind="ModelDeployment",phase="Stable"} 199.0
"""


def test_reconciles_of_model_deployments_are_read_by_result() -> None:
    assert reconciles(METRICS) == {"settled": 640}


def test_the_stable_ones_are_counted() -> None:
    assert stable(METRICS) == 199
    assert stable("") == 0, "an operator that does not answer has said nothing"

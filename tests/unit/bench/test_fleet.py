"""What the fleet is made of."""

from tests.bench.fleet import ready_status, serving

from fairlead.api.resource import parse_model_deployment


def test_each_of_the_fleet_fits_the_schema_and_has_a_name_of_its_own() -> None:
    for model in ("", "churn"):
        bodies = [serving(number, model) for number in range(3)]
        assert len({body["metadata"]["name"] for body in bodies}) == 3
        for body in bodies:
            body["metadata"] |= {"namespace": "bench", "uid": "u"}
            spec = parse_model_deployment(body).spec
            assert (spec.model.name if spec.model else "") == model


def test_a_ready_deployment_has_all_pods_of_its_latest_spec() -> None:
    status = ready_status({"metadata": {"generation": 4}, "spec": {"replicas": 3}})
    assert (status["observedGeneration"], status["readyReplicas"], status["replicas"]) == (4, 3, 3)

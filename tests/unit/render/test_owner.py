"""The owner reference."""

from tests.unit.builders import UID, serving_body, serving_world

from fairlead.render.owner import owner_reference


def test_a_child_is_controlled_by_uid() -> None:
    meta = serving_world(serving_body()).resource.meta
    assert owner_reference("ModelDeployment", meta) == {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "churn",
        "uid": UID,
        "controller": True,
    }

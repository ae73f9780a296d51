"""Where each kind lives in the Kubernetes API."""

import pytest

from fairlead.api import crd
from fairlead.api.kinds import BY_KIND, LEASE, MODEL_DEPLOYMENT, TRAINING_JOB, WATCHED


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", "/api/v1/namespaces/team/pods/a"),
        ("Job", "/apis/batch/v1/namespaces/team/jobs/a"),
        ("ControllerRevision", "/apis/apps/v1/namespaces/team/controllerrevisions/a"),
        ("RoleBinding", "/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings/a"),
        ("PodDisruptionBudget", "/apis/policy/v1/namespaces/team/poddisruptionbudgets/a"),
        ("ServiceAccount", "/api/v1/namespaces/team/serviceaccounts/a"),
        ("ModelDeployment", "/apis/fairlead.dev/v1alpha1/namespaces/team/modeldeployments/a"),
    ],
)
def test_an_object_has_its_kubernetes_path(kind: str, path: str) -> None:
    assert BY_KIND[kind].path("team", "a") == path


def test_without_a_namespace_the_path_names_all_objects_of_the_kind() -> None:
    assert BY_KIND["Pod"].path() == "/api/v1/pods"
    assert LEASE.path("team") == "/apis/coordination.k8s.io/v1/namespaces/team/leases"


def test_both_custom_resources_live_where_their_crds_say() -> None:
    plurals = {kind.name: kind.plural for kind in crd.KINDS}
    for own in (MODEL_DEPLOYMENT, TRAINING_JOB):
        assert own.plural == plurals[own.kind]


def test_a_kind_is_watched_once() -> None:
    assert len({item.kind for item in WATCHED}) == len(WATCHED)

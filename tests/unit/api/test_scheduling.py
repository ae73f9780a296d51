"""Affinity and spread."""

from fairlead.api.crd import schema_of
from fairlead.api.scheduling import Affinity, TopologySpread


def test_affinity_has_kubernetes_own_field_names() -> None:
    node = schema_of(Affinity)["properties"]["nodeAffinity"]["properties"]
    assert set(node) == {
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    }


def test_pod_terms_stay_in_their_namespace() -> None:
    required = schema_of(Affinity)["properties"]["podAffinity"]["properties"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert set(required["items"]["properties"]) == {"labelSelector", "topologyKey"}


def test_the_selector_of_a_spread_is_not_the_user_s() -> None:
    assert set(schema_of(TopologySpread)["properties"]) == {"maxSkew", "topologyKey", "whenUnsatisfiable"}

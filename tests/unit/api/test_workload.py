"""Pod fields beside the container's own."""

from fairlead.api.crd import schema_of
from fairlead.api.workload import PodFields


def test_lists_that_have_a_key_are_maps_so_that_two_managers_can_own_an_item_each() -> None:
    fields = schema_of(PodFields)["properties"]
    assert fields["volumes"]["x-kubernetes-list-map-keys"] == ["name"]
    assert fields["imagePullSecrets"]["x-kubernetes-list-map-keys"] == ["name"]
    assert fields["tolerations"]["x-kubernetes-list-type"] == "atomic"

from tests.bench.gateway.measure import Size
from tests.bench.gateway.process import Memory


def test_a_gateway_is_as_large_as_its_two_processes() -> None:
    size = Size(1, False, 1.0, {"envoy": Memory(20, 90), "renderer": Memory(25, 40)})
    assert size.both == Memory(45, 130)

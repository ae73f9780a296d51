"""One Envoy for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.gateway.envoy import Envoy


@pytest.fixture(scope="module")
def envoy() -> Iterator[Envoy]:
    """A running Envoy with nothing to serve yet."""
    with Envoy() as running:
        yield running

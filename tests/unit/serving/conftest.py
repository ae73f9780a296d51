"""Models on disk, made once."""

from pathlib import Path

import pytest
from tests.unit.serving.models import classifier, write_model


@pytest.fixture(scope="session")
def iris_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a classifier of the iris data. Not to be changed."""
    return write_model(tmp_path_factory.mktemp("iris"), classifier())

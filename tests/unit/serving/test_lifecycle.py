from pathlib import Path

from fairlead_serving.lifecycle import Lifecycle, Phase
from fairlead_serving.loading import load_model
from fairlead_serving.mlmodel import read_mlmodel


def test_a_server_is_ready_between_loading_and_draining(iris_folder: Path) -> None:
    model = load_model(iris_folder, read_mlmodel(iris_folder), allow_pickle=False, max_bytes=2**30)
    lifecycle = Lifecycle()
    seen = [lifecycle.ready]
    lifecycle.loaded(model)
    seen.append(lifecycle.ready)
    lifecycle.drain()
    seen.append(lifecycle.ready)
    assert seen == [False, True, False]
    assert lifecycle.model is model


def test_a_model_that_loads_while_draining_makes_nothing_ready(iris_folder: Path) -> None:
    lifecycle = Lifecycle()
    lifecycle.drain()
    lifecycle.loaded(load_model(iris_folder, read_mlmodel(iris_folder), allow_pickle=False, max_bytes=2**30))
    assert lifecycle.phase is Phase.DRAINING

import json
import re
from html import unescape
from pathlib import Path

import pytest
from tests.unit.serving.models import classifier, write_model

from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.loading import load_model, warm_up
from fairlead_serving.manual import describe_api, render_page
from fairlead_serving.mlmodel import read_mlmodel
from fairlead_serving.settings import parse_settings

SETTINGS = parse_settings({"MODEL_NAME": "iris", "MODEL_VERSION": "3", "SERVED_MODEL_NAME": "it's <b>"})


@pytest.fixture
def lifecycle(tmp_path: Path) -> Lifecycle:
    folder = write_model(tmp_path, classifier())
    spec = read_mlmodel(folder)
    lifecycle = Lifecycle()
    lifecycle.loaded(*warm_up(load_model(folder, spec, allow_pickle=False, max_bytes=2**30), folder, spec))
    return lifecycle


def test_the_schema_names_the_models_own_columns(lifecycle: Lifecycle) -> None:
    paths = describe_api(SETTINGS, lifecycle, "1.2.3")["paths"]
    assert isinstance(paths, dict)
    content = paths["/v2/models/it's <b>/infer"]["post"]["requestBody"]["content"]["application/json"]
    tensor = content["schema"]["properties"]["inputs"]["items"]["properties"]
    assert tensor["name"]["enum"][0] == "sepal length (cm)"
    assert tensor["datatype"]["enum"] == ["FP64"]
    assert content["example"]["inputs"][0]["name"] == "sepal length (cm)"


def test_the_page_is_html_whatever_the_names_are_and_its_commands_can_be_pasted(lifecycle: Lifecycle) -> None:
    page = render_page(SETTINGS, lifecycle, "1.2.3")
    assert "<b>" not in page
    assert "http" not in re.sub(r"http://localhost:8080", "", page)
    commands = [unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", page)]
    assert len(commands) == 2
    body = commands[1].split(" -d '")[1].removesuffix("'")
    assert json.loads(body)["dataframe_split"]["columns"][0] == "sepal length (cm)"


def test_while_the_model_loads_the_page_says_so() -> None:
    page = render_page(SETTINGS, Lifecycle(), "1.2.3")
    assert "The model is loading." in page
    assert "<pre>" not in page


def test_a_model_without_example_has_none(lifecycle: Lifecycle) -> None:
    lifecycle.example = None
    assert "No example" in render_page(SETTINGS, lifecycle, "1.2.3")

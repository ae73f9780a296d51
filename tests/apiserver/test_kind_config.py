"""kind-config.yaml is what kind accepts: decoded by kind's own Go types, as strictly as kind itself does it."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.cluster.binaries import binary
from tests.cluster.paths import REPOSITORY

CONFIG = (REPOSITORY / "kind-config.yaml").read_text()


@pytest.fixture(scope="module")
def kindconfig() -> Path:
    return binary("kindconfig")


def decode(kindconfig: Path, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([kindconfig], input=text, capture_output=True, text=True, check=False)


def test_kind_accepts_the_configuration_and_makes_one_node_of_it(kindconfig: Path) -> None:
    done = decode(kindconfig, CONFIG)
    assert done.returncode == 0, done.stderr
    (node,) = json.loads(done.stdout)["nodes"]
    assert node["role"] == "control-plane"


def test_what_the_node_mounts_is_in_the_repository_or_made_before_it_starts(kindconfig: Path) -> None:
    (node,) = json.loads(decode(kindconfig, CONFIG).stdout)["nodes"]
    policy, log = (mount["hostPath"] for mount in node["extraMounts"])
    assert (REPOSITORY / policy).is_file()
    assert log == "./build/kind/audit"


def test_an_unknown_field_is_refused(kindconfig: Path) -> None:
    done = decode(kindconfig, CONFIG.replace("extraMounts:", "extraMount:"))
    assert done.returncode == 1
    assert "field extraMount not found" in done.stderr

"""Other people's models: another data set by another YAML and trainer, and everything at once from a repository."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from tests.cluster.binaries import binary
from tests.cluster.interface import Cluster
from tests.e2e.examples import EXAMPLES, differing_rows
from tests.e2e.registry import Mlflow
from tests.e2e.world import World

README = EXAMPLES.parent / "README.md"
TUTORIAL_SECONDS = 300


def test_a_repository_applied_in_any_order_brings_the_same_up_from_nothing(cluster: Cluster, mlflow: Mlflow) -> None:
    folder = str(EXAMPLES / "gitops")
    documents = list(yaml.safe_load_all(cluster.kubectl("kustomize", folder)))
    named = {item["kind"]: item["metadata"]["name"] for item in documents}
    model = next(item["spec"]["model"]["name"] for item in documents if item["kind"] == "ModelDeployment")
    world = World(cluster, named["Namespace"])
    cluster.kubectl("delete", "namespace", world.namespace, "--ignore-not-found")
    mlflow.forget(model)
    order = ("ModelDeployment", "TrainingJob", "Namespace")
    documents.sort(key=lambda item: order.index(item["kind"]) if item["kind"] in order else 0)
    backwards = yaml.safe_dump_all(documents)
    try:
        cluster.kubectl("apply", "-f", "-", input=backwards, check=False)  # all but the namespace, which comes last
        cluster.kubectl("apply", "-f", "-", input=backwards)  # as a GitOps controller tries again
        status = world.wait_ended(named["TrainingJob"], seconds=180)["status"]
        assert status["phase"] == "Succeeded", status
        served = world.wait_rolled_out(named["ModelDeployment"], seconds=120)
        assert "ModelNotFound" in world.events(named["ModelDeployment"]), "it waited for what it serves"
        assert served["status"]["stable"]["modelVersion"] == status["modelVersion"]["version"] == "1"
        assert differing_rows(world, mlflow, named["ModelDeployment"], status["run"]["id"]) == []
        again = cluster.kubectl("apply", "-k", folder)
        assert {line.rpartition(" ")[2] for line in again.splitlines()} == {"unchanged"}
    finally:
        cluster.kubectl("delete", "namespace", world.namespace, "--ignore-not-found", "--wait=false")


def _commands(heading: str) -> str:
    """The shell commands of one section of the README."""
    section = README.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def _environment(world: World, folder: Path) -> dict[str, str]:
    """kubectl on the path, and the test's namespace as the one it works in."""
    kubeconfig = yaml.safe_load(world.cluster.kubeconfig.read_text())
    kubeconfig["contexts"][0]["context"]["namespace"] = world.namespace
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    return {**os.environ, "KUBECONFIG": str(path), "PATH": f"{binary('kubectl').parent}:{os.environ['PATH']}"}


def test_the_commands_of_the_readme_serve_another_data_set_by_another_yaml_and_trainer_alone(
    world: World, mlflow: Mlflow, tmp_path: Path, unused_tcp_port: int
) -> None:
    mlflow.forget("churn")  # the namespace of an earlier run wrote its alias: AliasConflict
    shutil.copytree(EXAMPLES / "digits", tmp_path / "examples" / "digits")
    commands = _commands("Train and serve a model of your own")
    assert commands.count('eval "$(make -s env)"') == commands.count("8080:80") == 1
    commands = commands.replace('eval "$(make -s env)"', ":").replace("8080", str(unused_tcp_port))
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        cwd=tmp_path, env=_environment(world, tmp_path), capture_output=True, text=True,
        timeout=TUTORIAL_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{world.describe()}"
    answer = json.loads(done.stdout[done.stdout.index('{"') :].splitlines()[0])
    outputs = {item["name"]: item["data"] for item in answer["outputs"]}
    assert outputs["predict"] == [7], "the picture of a seven"
    status = world.status("tj", "churn")
    assert world.status("md", "churn")["model"]["digest"].startswith("sha256:"), "its files were verified"
    assert differing_rows(world, mlflow, "churn", status["run"]["id"]) == [], "every held-out row"

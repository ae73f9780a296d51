"""The parts of the demo, in order. Each may be run again: what is there already is left or made current."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests import platform
from tests.cluster import CommandError
from tests.cluster.interface import Cluster
from tests.demo import answers, state
from tests.demo.progress import DemoError, Progress

NAMESPACE = "default"
NAME = "breast-cancer"
NOISY = "breast-cancer-noisy"
CLIENT_POD = "fairlead-demo-client"
EXAMPLES = platform.ROOT / "examples"

TRAINING_SECONDS = 300
SERVING_SECONDS = 180
STALLED_SECONDS = 20
CLIENT_SECONDS = 60


class Story:
    """One telling of the demo on one cluster."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self._cluster = cluster
        self._progress = progress

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
        """An object as the API server has it; empty when there is none."""
        text = self._cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    def start_platform(self) -> None:
        """MLflow, the registry of the example platform."""
        with self._explained("mlflow", "mlflow"):
            platform.install_mlflow(self._cluster)

    def install_fairlead(self) -> None:
        """The chart, as anyone would install it."""
        with self._explained("fairlead", platform.NAMESPACE):
            platform.install_fairlead(self._cluster)

    def train(self) -> dict[str, Any]:
        """Train anew and wait for the registered version; the finished TrainingJob."""
        job = self._train("breast-cancer-training.yaml", NAME, ends="Succeeded")
        version = job["status"]["modelVersion"]
        self._progress.say(f"  gate passed: {state.gate(job)}")
        self._progress.say(f"  registered {version['name']} version {version['version']} as {version.get('alias')}")
        return job

    def stop_at_gate(self, version: str) -> dict[str, Any]:
        """Train on noisy labels: the gate must stop it, and the version that serves must serve on."""
        job = self._train("breast-cancer-noisy-training.yaml", NOISY, ends="Failed")
        reason = state.condition(job, "Ready").get("reason")
        stable = (self.get("modeldeployment", NAME).get("status", {}).get("stable") or {}).get("modelVersion")
        if reason != "GateFailed" or stable != version:
            raise DemoError(
                f"TrainingJob {NOISY}: expected GateFailed and version {version} serving on, "
                f"got {state.describe_training(job)} and version {stable}"
            )
        self._progress.say(f"  stopped at the gate: {state.gate(job)}")
        self._progress.say(f"  nothing was registered; version {version} serves on")
        return job

    def _train(self, file: str, name: str, *, ends: str) -> dict[str, Any]:
        """Apply a TrainingJob anew and follow it to its end, which must be the given phase."""
        return self.train_as(yaml.safe_load((EXAMPLES / file).read_text()), name, ends=ends)

    def train_as(self, body: Mapping[str, Any], name: str, *, ends: str = "Succeeded") -> dict[str, Any]:
        """The same for any TrainingJob."""
        self._cluster.kubectl("delete", "trainingjob", name, "-n", NAMESPACE, "--ignore-not-found", "--timeout=60s")
        self._cluster.kubectl("apply", "-n", NAMESPACE, "-f", "-", input=json.dumps(body))

        def look() -> tuple[bool, str]:
            job = self.get("trainingjob", name)
            phase, text = job.get("status", {}).get("phase"), state.describe_training(job)
            if phase in ("Succeeded", "Failed") and phase != ends:
                raise DemoError(f"TrainingJob {name}: expected phase {ends}, got {text}\n{self._training_log(name)}")
            return phase == ends, text

        self._progress.wait_for(f"TrainingJob {name}", look, TRAINING_SECONDS)
        return self.get("trainingjob", name)

    def serve(self, version: str) -> str:
        """Serve the alias and wait until it is the given version that answers users; its revision."""
        self._apply(EXAMPLES / "breast-cancer-serving.yaml")
        started = time.monotonic()  # an alias that moved is seen at the operator's next look at MLflow

        def look() -> tuple[bool, str]:
            deployment = self.get("modeldeployment", NAME)
            self._progress.show(deployment)
            stable = (deployment.get("status", {}).get("stable") or {}).get("modelVersion", "none")
            rolled_out = state.answers_users(deployment) and stable == version
            text = state.describe_serving(deployment)
            # A verdict on the version before this one may still stand for a moment.
            if state.is_true(deployment, "Stalled") and time.monotonic() - started > STALLED_SECONDS:
                raise DemoError(f"ModelDeployment {NAME}: expected version {version} rolled out, got {text}")
            return rolled_out, text

        self._progress.wait_for(f"ModelDeployment {NAME}", look, SERVING_SECONDS)
        status = self.get("modeldeployment", NAME)["status"]
        digest = status.get("model", {}).get("digest", "unverified")
        self._progress.say(f"  serving version {version} as revision {status['stable']['revision']}, files {digest}")
        return str(status["stable"]["revision"])

    def is_serving(self) -> bool:
        """Whether a version answers users already: that of an earlier demo."""
        deployment = self.get("modeldeployment", NAME)
        return bool(deployment.get("status", {}).get("stable")) and state.is_true(deployment, "Ready")

    def service_url(self) -> str:
        """The Service as this machine reaches it, once something accepts connections there."""
        address = self._cluster.kubectl(
            "get", "service", NAME, "-n", NAMESPACE, "-o", "jsonpath={.spec.clusterIP}"
        ).strip()

        def look() -> tuple[bool, str]:
            with contextlib.suppress(OSError), socket.create_connection((address, 80), timeout=1):
                return True, "answers"
            return False, "nobody accepts connections"

        self._progress.wait_for(f"Service {NAME} at {address}", look, CLIENT_SECONDS)
        return f"http://{address}"

    def ask(self, run_id: str) -> dict[str, Any]:
        """Send every held-out row through the Service, from a pod in the cluster."""
        manifest = json.dumps(client_pod())
        self._cluster.kubectl("apply", "-n", NAMESPACE, "-f", "-", input=manifest)
        try:

            def look() -> tuple[bool, str]:
                pod = self.get("pod", CLIENT_POD)
                phase = pod.get("status", {}).get("phase", "absent")
                return phase == "Running", phase

            self._progress.wait_for(f"pod {CLIENT_POD}", look, CLIENT_SECONDS)
            source = (Path(__file__).parent / "client.py").read_text()
            service = f"http://{NAME}.{NAMESPACE}.svc"
            text = self._cluster.kubectl(
                *(
                    "exec",
                    "-n",
                    NAMESPACE,
                    CLIENT_POD,
                    "--",
                    "python",
                    "-c",
                    source,
                    platform.REGISTRY_URL,
                    run_id,
                    service,
                    NAME,
                )
            )
        finally:
            self._cluster.kubectl(
                *(
                    "delete",
                    "pod",
                    CLIENT_POD,
                    "-n",
                    NAMESPACE,
                    "--ignore-not-found",
                    "--wait=false",
                    "--grace-period=0",
                )
            )
        asked: dict[str, Any] = json.loads(text)
        return asked

    def judge(self, asked: dict[str, Any], version: str) -> answers.Agreement:
        """Compare and insist. Raises DemoError naming the first row that differs."""
        found = answers.compare(asked)
        if not found.complete:
            raise DemoError(
                f"expected all {found.rows} rows answered as the model itself does, got {found.agreeing}; "
                f"first difference: {found.first_problem}"
            )
        if found.version != version:
            raise DemoError(f"expected answers of model version {version}, got version {found.version!r}")
        return found

    def _apply(self, path: Path) -> None:
        self._cluster.kubectl("apply", "-n", NAMESPACE, "-f", str(path))

    @contextlib.contextmanager
    def _explained(self, deployment: str, namespace: str) -> Iterator[None]:
        """Add the state of a Deployment's pods and their last lines to a failure."""
        try:
            yield
        except CommandError as error:
            pods = self._cluster.kubectl("get", "pods", "-n", namespace, "-o", "wide", check=False)
            logs = self._cluster.kubectl("logs", "-n", namespace, f"deployment/{deployment}", "--tail=15", check=False)
            raise DemoError(f"{error}\n{pods}\n{logs}") from error

    def _training_log(self, name: str) -> str:
        try:
            return self._cluster.kubectl(
                *("logs", "-n", NAMESPACE, "-l", f"fairlead.dev/trainingjob={name}", "--tail=15")
            )
        except CommandError as error:
            return str(error)


def client_pod() -> dict[str, Any]:
    """A pod that waits to be used: the serving image has a Python, and every node has that image by then."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT_POD},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 300,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "client",
                    "image": "localhost/fairlead-serving:dev",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", "300"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }

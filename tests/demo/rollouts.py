"""The parts of the demo in which new versions arrive under users' traffic: better, broken, unloadable, shadowed."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from fairlead.api.resource import InvalidResource, ModelDeployment, parse_model_deployment
from fairlead.api.rollout_status import Outcome
from tests.cluster.interface import Cluster
from tests.demo import state
from tests.demo.endings import Ending, find_ending
from tests.demo.outcome import Happened
from tests.demo.progress import DemoError, Progress
from tests.demo.story import EXAMPLES, NAME, NAMESPACE, Story
from tests.demo.users import Mlflow, count_users, plan_users
from tests.load import background_load

ROLLOUT_SECONDS = 240
TOLD_SECONDS = 15
CHAMPION = "champion"
SHADOW = {"percent": 50, "minRequests": 100, "minDuration": "10s", "onPass": "canary"}


@dataclass
class Rollouts:
    """The second half of the story, on the cluster of the first."""

    cluster: Cluster
    progress: Progress
    story: Story
    mlflow: Mlflow
    happened: list[Happened] = field(default_factory=list)
    asking: bool = False

    @contextlib.contextmanager
    def users(self, run_id: str) -> Iterator[None]:
        """Users ask about a training's held-out rows while the block runs; at its end none may have gone unanswered."""
        plan = plan_users(self.story.service_url(), NAME, self.mlflow.held_out_rows(run_id))
        started = self.progress.elapsed_seconds
        with background_load(plan, self.progress.show_users) as load:
            self.asking = True
            yield
            text = count_users(load.report())
        self.happened.append(Happened("users, meanwhile", self.progress.elapsed_seconds - started, text))
        self.progress.say(f"  users: {text}")

    def better(self) -> None:
        """A better version earns its traffic step by step, and `champion` moves to it."""
        version = self.train("better", C="0.3")
        ending, seconds = self.follow(version, expected=Outcome.PROMOTED)
        self.note(f"version {version}, better", seconds, f"{ending.describe()}; {self.champion(ending)}")

    def broken(self) -> None:
        """A version that raises on part of the inputs is braked and hauled back."""
        self.hauled_back("broken", "raises on a fifth of the inputs", encoder="strict")

    def unloadable(self) -> None:
        """A version that cannot be loaded gets its verdict before it gets any traffic."""
        self.hauled_back("unloadable", "cannot be loaded", estimator="hist_gradient_boosting")

    def shadowed(self) -> None:
        """A version answers copies of the traffic before it gets any; skipped where the installed CRD has no shadow."""
        if not self.has_shadow():
            self.note("a shadow", 0, "skipped: the installed ModelDeployment has no spec.rollout.shadow")
            return
        self.set_shadow(SHADOW)
        try:
            version = self.train("shadowed", C="0.5")
            ending, seconds = self.follow(version, expected=Outcome.PROMOTED)
        finally:
            self.set_shadow(None)
        self.note(f"version {version}, shadow first", seconds, f"answered copies, then canary: {ending.describe()}")

    def hauled_back(self, label: str, what: str, **params: str) -> None:
        """Train a bad version, see it hauled back and quarantined, and the one before it serve on."""
        serving = self.stable_version()
        version = self.train(label, **params)
        ending, seconds = self.follow(version, expected=Outcome.ROLLED_BACK)
        self.progress.say(f"  why: {ending.message}")
        deployment = self.deployment()
        stable = deployment.status.stable.model_version if deployment.status.stable else "none"
        if stable != serving or not deployment.status.quarantine:
            kept = [item.revision for item in deployment.status.quarantine]
            raise DemoError(
                f"version {version}: expected it quarantined and {serving} serving, got {kept} and {stable}"
            )
        came = f"{ending.describe()}, quarantined; version {stable} serves on"
        self.note(f"version {version}, {what}", seconds, came)

    def train(self, label: str, **params: str) -> str:
        """Train and register a version with these parameters; its number."""
        job = yaml.safe_load((EXAMPLES / "breast-cancer-training.yaml").read_text())
        job["metadata"]["name"] = name = f"{NAME}-{label}"
        job["spec"]["params"] |= params
        found = self.story.train_as(job, name)
        version = str(found["status"]["modelVersion"]["version"])
        self.progress.say(f"  gate passed: {state.gate(found)}; registered as version {version}")
        return version

    def follow(self, version: str, *, expected: Outcome) -> tuple[Ending, float]:
        """Watch a version's rollout to its end, which has to be the given one; the seconds from its registration on."""
        started = self.progress.elapsed_seconds
        found: list[Ending] = []

        def look() -> tuple[bool, str]:
            body = self.story.get("modeldeployment", NAME)
            self.progress.show(body)
            ending = find_ending(parse(body), version)
            if ending is None:
                return False, state.describe_rollout(body)
            if ending.outcome is not expected:
                raise DemoError(f"version {version}: expected {expected}, got {ending.describe()}: {ending.message}")
            found.append(ending)
            return True, ending.describe()

        self.progress.wait_for(f"version {version}", look, ROLLOUT_SECONDS)
        return found[-1], self.progress.elapsed_seconds - started

    def champion(self, ending: Ending) -> str:
        """Where the alias of the promoted version points. Raises DemoError when it was told and did not move."""
        told = [ending.told]

        def look() -> tuple[bool, str]:
            told.append((find_ending(self.deployment(), ending.version) or ending).told)
            at = self.mlflow.version_of_alias(NAME, CHAMPION)
            return at == ending.version, f"at version {at}" if at else "at no version"

        try:
            self.progress.wait_for(f"alias {CHAMPION}", look, TOLD_SECONDS)
        except DemoError:
            if told[-1]:
                raise
            return f"{CHAMPION} not moved yet"
        return f"{CHAMPION} moved to it"

    def deployment(self) -> ModelDeployment:
        """The ModelDeployment. Raises DemoError when it is gone or unreadable."""
        return parse(self.story.get("modeldeployment", NAME))

    def stable_version(self) -> str:
        """The version that serves."""
        stable = self.deployment().status.stable
        return stable.model_version if stable else ""

    def has_shadow(self) -> bool:
        """Whether the installed CRD knows spec.rollout.shadow."""
        crd = self.story.get("crd", "modeldeployments.fairlead.dev")
        return any("shadow" in rollout_fields(version) for version in crd.get("spec", {}).get("versions", ()))

    def set_shadow(self, shadow: dict[str, Any] | None) -> None:
        """Ask for a shadow before the canary, or for none."""
        patch = json.dumps({"spec": {"rollout": {"shadow": shadow}}})
        self.cluster.kubectl("patch", "modeldeployment", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch)

    def note(self, what: str, seconds: float, came_of_it: str) -> None:
        """A line for the table."""
        self.happened.append(Happened(what, seconds, came_of_it))
        self.progress.say(f"  {what}: {came_of_it}")


def parse(body: dict[str, Any]) -> ModelDeployment:
    """The ModelDeployment in an answer of the API server. Raises DemoError when it is gone or unreadable."""
    try:
        return parse_model_deployment(body)
    except (InvalidResource, KeyError) as error:
        raise DemoError(f"ModelDeployment {NAME}: expected to read it, got {error!r}") from error


def rollout_fields(version: dict[str, Any]) -> dict[str, Any]:
    """The fields under spec.rollout in one version of a CRD."""
    schema = version["schema"]["openAPIV3Schema"]
    fields: dict[str, Any] = schema["properties"]["spec"]["properties"]["rollout"]["properties"]
    return fields

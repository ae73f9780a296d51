"""What a real API server makes of both CRDs: what it takes, what it refuses and in which words, what it defaults."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apiserver.client import CustomResources, Kubectl
from tests.cluster import CommandError, ControlPlane

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))

SERVING: dict[str, Any] = {
    "apiVersion": "fairlead.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "sample"},
    "spec": {"model": {"name": "churn", "alias": "candidate"}},
}
TRAINING: dict[str, Any] = {
    "apiVersion": "fairlead.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "sample"},
    "spec": {"container": {"image": "trainer:1"}, "register": {"model": "churn"}},
}
PLURAL = {"ModelDeployment": "modeldeployments", "TrainingJob": "trainingjobs"}
REMOVED = object()
DEFAULT_ROLLOUT = {
    "checks": {"alpha": "1%", "maxErrorRate": "2%", "maxLatencyP99": "off", "mode": "enforce"},
    "guard": {"controlPercent": 5, "duration": "10m", "keepWarm": "full"},
    "holdDeadline": "24h",
    "pendingDeadline": "15m",
    "progressDeadline": "30m",
}


def changed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with values set by path: `spec__rollout__pendingDeadline="1h"`; REMOVED takes a field away."""
    result = copy.deepcopy(body)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        if value is REMOVED:
            del node[last]
        else:
            node[last] = value
    return result


@dataclass(frozen=True)
class Wrong:
    """A wrong object and what the refusal must say: the field, what was expected, what came."""

    body: dict[str, Any]
    field: str
    expected: str
    got: str


ENV = "spec.container.env[0]"
VOLUME = {"name": "data"}
WRONG = {
    # the name
    "a name too long": Wrong(changed(SERVING, metadata__name="a" * 41), "metadata.name", "40 bytes", "Too long"),
    "a training name too long": Wrong(changed(TRAINING, metadata__name="a" * 52), "metadata.name", "51 bytes", "long"),
    "a name with a digit first": Wrong(changed(SERVING, metadata__name="1a"), "metadata.name", "^[a-z]", '"1a"'),
    "a name with a dot": Wrong(changed(TRAINING, metadata__name="a.b"), "metadata.name", "[-a-z0-9]", '"a.b"'),
    # what is served
    "no replicas": Wrong(changed(SERVING, spec__replicas=0), "spec.replicas", "greater than or equal to 1", "0"),
    "too many replicas": Wrong(changed(SERVING, spec__replicas=1001), "spec.replicas", "less than or equal to", "1001"),
    "replicas as text": Wrong(changed(SERVING, spec__replicas="2"), "spec.replicas", "integer", "string"),
    "alias and version": Wrong(
        changed(SERVING, spec__model__version="3"), "spec.model", "exactly one of alias and version", "got both"
    ),
    "neither alias nor version": Wrong(
        changed(SERVING, spec__model__alias=REMOVED), "spec.model", "exactly one of alias and version", "got neither"
    ),
    "neither model nor image": Wrong(
        changed(SERVING, spec__model=REMOVED, spec__container={"port": 80}), "spec", "container.image", "got neither"
    ),
    "no model name": Wrong(changed(SERVING, spec__model__name=REMOVED), "spec.model.name", "Required", "Required"),
    "a model name with a slash": Wrong(
        changed(SERVING, spec__model__name="a/b"), "spec.model.name", "should match", '"a/b"'
    ),
    "a version as a number": Wrong(
        changed(SERVING, spec__model={"name": "a", "version": 3}), "spec.model.version", "string", "integer"
    ),
    "a version with a letter": Wrong(
        changed(SERVING, spec__model={"name": "a", "version": "v3"}), "spec.model.version", "[1-9][0-9]*", '"v3"'
    ),
    "no spec": Wrong(changed(SERVING, spec=REMOVED), "spec", "Required", "Required"),
    # limits
    "a deadline with a space": Wrong(
        changed(SERVING, spec__rollout__progressDeadline="15 min"),
        "spec.rollout.progressDeadline",
        "^(off|",
        '"15 min"',
    ),
    "a deadline that is false": Wrong(
        changed(SERVING, spec__rollout__progressDeadline=False), "spec.rollout.progressDeadline", "string", "boolean"
    ),
    "a deadline as a number": Wrong(
        changed(SERVING, spec__container={"image": "a", "loadDeadline": 60}),
        "spec.container.loadDeadline",
        "string",
        "integer",
    ),
    "a deadline of nothing": Wrong(
        changed(SERVING, spec__rollout__pendingDeadline="0m"), "spec.rollout.pendingDeadline", "more than no time", "0m"
    ),
    "a shadow of nothing": Wrong(
        changed(SERVING, spec__rollout__shadow={"percent": 0}), "spec.rollout.shadow.percent", "1", "0"
    ),
    "a shadow of more than everything": Wrong(
        changed(SERVING, spec__rollout__shadow={"percent": 101}), "spec.rollout.shadow.percent", "100", "101"
    ),
    "a shadow that leads nowhere": Wrong(
        changed(SERVING, spec__rollout__shadow={"onPass": "promote"}),
        "spec.rollout.shadow.onPass",
        '"canary", "hold"',
        '"promote"',
    ),
    "a shadow without end": Wrong(
        changed(SERVING, spec__rollout__shadow={"minDuration": "off"}),
        "spec.rollout.shadow.minDuration",
        "h)?",
        '"off"',
    ),
    "a shadow that needs no request": Wrong(
        changed(SERVING, spec__rollout__shadow={"minRequests": 0}), "spec.rollout.shadow.minRequests", "1", "0"
    ),
    "a load deadline that is off": Wrong(
        changed(SERVING, spec__container={"loadDeadline": "off"}), "spec.container.loadDeadline", "h)?", '"off"'
    ),
    "a history limit below nothing": Wrong(
        changed(SERVING, spec__revisionHistoryLimit=-1), "spec.revisionHistoryLimit", "greater than or equal to 0", "-1"
    ),
    # the container
    "no trainer image": Wrong(
        changed(TRAINING, spec__container={"args": ["a"]}), "spec.container.image", "Required", "Required"
    ),
    "no container": Wrong(changed(TRAINING, spec__container=REMOVED), "spec.container", "Required", "Required"),
    "an empty image": Wrong(changed(TRAINING, spec__container__image=""), "spec.container.image", "should match", '""'),
    "an image with a space": Wrong(
        changed(TRAINING, spec__container__image="a b"), "spec.container.image", "should match", '"a b"'
    ),
    "a command as text": Wrong(
        changed(TRAINING, spec__container__command="python train.py"), "spec.container.command", "array", "string"
    ),
    "a variable with two values": Wrong(
        changed(
            TRAINING,
            spec__container__env=[
                {"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
            ],
        ),
        ENV,
        "expected value or valueFrom",
        "got both",
    ),
    "a variable from two sources": Wrong(
        changed(
            TRAINING,
            spec__container__env=[
                {
                    "name": "A",
                    "valueFrom": {
                        "secretKeyRef": {"name": "a", "key": "b"},
                        "configMapKeyRef": {"name": "a", "key": "b"},
                    },
                }
            ],
        ),
        f"{ENV}.valueFrom",
        "exactly one of secretKeyRef, configMapKeyRef, fieldRef",
        "got several",
    ),
    "a variable from a field that tells too much": Wrong(
        changed(
            TRAINING, spec__container__env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.hostIP"}}}]
        ),
        f"{ENV}.valueFrom.fieldRef.fieldPath",
        "supported values",
        '"spec.hostIP"',
    ),
    "a variable twice": Wrong(
        changed(TRAINING, spec__container__env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        "spec.container.env[1]",
        "Duplicate value",
        '"A"',
    ),
    "a variable with a bad name": Wrong(
        changed(TRAINING, spec__container__env=[{"name": "A=B", "value": "1"}]), f"{ENV}.name", "should match", '"A=B"'
    ),
    "all variables from nowhere": Wrong(
        changed(TRAINING, spec__container__envFrom=[{"prefix": "A_"}]),
        "spec.container.envFrom[0]",
        "exactly one of secretRef, configMapRef",
        "got none",
    ),
    "a port out of range": Wrong(
        changed(SERVING, spec__container={"image": "a", "port": 70000}), "spec.container.port", "65535", "70000"
    ),
    "a protocol that is none": Wrong(
        changed(SERVING, spec__container={"image": "a", "protocol": "h2"}),
        "spec.container.protocol",
        '"http", "grpc"',
        '"h2"',
    ),
    "a probe path that is a URL": Wrong(
        changed(SERVING, spec__container={"image": "a", "readinessPath": "http://a/"}),
        "spec.container.readinessPath",
        "should match",
        '"http://a/"',
    ),
    "a mount that is relative": Wrong(
        changed(TRAINING, spec__container__volumeMounts=[{"name": "a", "mountPath": "data"}]),
        "spec.container.volumeMounts[0].mountPath",
        "should match",
        '"data"',
    ),
    # resources
    "a quantity that is none": Wrong(
        changed(SERVING, spec__resources__limits__memory="1GB"), "spec.resources.limits.memory", "match", '"1GB"'
    ),
    "a quantity below nothing": Wrong(
        changed(SERVING, spec__resources__requests__cpu=-1), "spec.resources.requests.cpu", "equal to 0", "-1"
    ),
    "no GPU": Wrong(changed(SERVING, spec__gpu__count=0), "spec.gpu.count", "greater than or equal to 1", "0"),
    "a GPU without a count": Wrong(
        changed(TRAINING, spec__compute__gpu={"product": "NVIDIA-L4"}), "spec.compute.gpu.count", "Required", "Required"
    ),
    "shared memory that is no quantity": Wrong(
        changed(TRAINING, spec__compute__sharedMemory="lots"), "spec.compute.sharedMemory", "should match", '"lots"'
    ),
    # the pod
    "a volume with two sources": Wrong(
        changed(SERVING, spec__volumes=[{**VOLUME, "emptyDir": {}, "configMap": {"name": "a"}}]),
        "spec.volumes[0]",
        "exactly one of persistentVolumeClaim, configMap, secret, emptyDir, image",
        "got several",
    ),
    "a label of ours": Wrong(
        changed(SERVING, spec__podMetadata__labels={"fairlead.dev/revision": "mine"}),
        "spec.podMetadata.labels",
        "expected no key",
        "fairlead.dev/",
    ),
    "an annotation with a reserved prefix": Wrong(
        changed(TRAINING, spec__podMetadata__annotations={"app.kubernetes.io/managed-by": "me"}),
        "spec.podMetadata.annotations",
        "expected no key",
        "app.kubernetes.io/",
    ),
    "a toleration with an unknown effect": Wrong(
        changed(SERVING, spec__tolerations=[{"effect": "Never"}]), "spec.tolerations[0].effect", "supported", '"Never"'
    ),
    "a grace period without end": Wrong(
        changed(SERVING, spec__terminationGracePeriodSeconds=99999),
        "spec.terminationGracePeriodSeconds",
        "3600",
        "99999",
    ),
    "a secret's name with a slash": Wrong(
        changed(SERVING, spec__imagePullSecrets=[{"name": "other/secret"}]),
        "spec.imagePullSecrets[0].name",
        "should match",
        '"other/secret"',
    ),
    # rollouts
    "steps that fall": Wrong(
        changed(SERVING, spec__rollout__canary={"steps": [{"weight": 50}, {"weight": 25}]}),
        "spec.rollout.canary.steps",
        "weights that rise",
        "steps",
    ),
    "a step of nothing": Wrong(
        changed(SERVING, spec__rollout__canary={"steps": [{"weight": 0}]}),
        "spec.rollout.canary.steps[0].weight",
        "greater than or equal to 1",
        "0",
    ),
    "no steps": Wrong(
        changed(SERVING, spec__rollout__canary={"steps": []}), "spec.rollout.canary.steps", "at least 1 items", "0"
    ),
    "an approval by an unknown word": Wrong(
        changed(SERVING, spec__rollout__canary={"steps": [{"weight": 5, "approval": "yes"}]}),
        "spec.rollout.canary.steps[0].approval",
        "supported",
        '"yes"',
    ),
    "a step of no time": Wrong(
        changed(SERVING, spec__rollout__canary={"steps": [{"weight": 5, "minDuration": "0s"}]}),
        "spec.rollout.canary.steps[0].minDuration",
        "more than no time",
        "0s",
    ),
    "an error rate without a sign": Wrong(
        changed(SERVING, spec__rollout__checks={"maxErrorRate": "2"}),
        "spec.rollout.checks.maxErrorRate",
        "should match",
        '"2"',
    ),
    "an error rate of nothing": Wrong(
        changed(SERVING, spec__rollout__checks={"maxErrorRate": "0%"}),
        "spec.rollout.checks.maxErrorRate",
        "more than 0%",
        "0%",
    ),
    "an error rate above a half": Wrong(
        changed(SERVING, spec__rollout__checks={"maxErrorRate": "50.5%"}),
        "spec.rollout.checks.maxErrorRate",
        "at most 50%",
        "50.5%",
    ),
    "an alpha that proves nothing": Wrong(
        changed(SERVING, spec__rollout__checks={"alpha": "21%"}),
        "spec.rollout.checks.alpha",
        "at most 20%",
        "21%",
    ),
    "a latency in minutes": Wrong(
        changed(SERVING, spec__rollout__checks={"maxLatencyP99": "1m"}),
        "spec.rollout.checks.maxLatencyP99",
        "should match",
        '"1m"',
    ),
    "a guard with nobody behind it": Wrong(
        changed(SERVING, spec__rollout__guard={"keepWarm": "none"}),
        "spec.rollout.guard",
        "full or one beside a controlPercent",
        "keepWarm",
    ),
    "a hold of no time": Wrong(
        changed(SERVING, spec__rollout__holdDeadline="0h"), "spec.rollout.holdDeadline", "more than no time", "0h"
    ),
    # training
    "nowhere to register": Wrong(changed(TRAINING, spec__register=REMOVED), "spec.register", "Required", "Required"),
    "an alias with a space": Wrong(
        changed(TRAINING, spec__register__alias="the best"), "spec.register.alias", "should match", '"the best"'
    ),
    "an alias that MLflow keeps": Wrong(
        changed(TRAINING, spec__register__alias="v3"), "spec.register", "MLflow keeps latest", "alias"
    ),
    "a logged model's name with a slash": Wrong(
        changed(TRAINING, spec__register__artifact="a/b"), "spec.register.artifact", "should match", '"a/b"'
    ),
    "a gate without rules": Wrong(
        changed(TRAINING, spec__gate={"rules": []}), "spec.gate.rules", "at least 1 items", "0"
    ),
    "a gate with too many rules": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"metric": f"m{i}", "min": i} for i in range(33)]}),
        "spec.gate.rules",
        "at most 32 items",
        "33",
    ),
    "a rule without a metric": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"min": 1}]}), "spec.gate.rules[0].metric", "Required", "Required"
    ),
    "a rule without a bound": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"metric": "f1"}]}),
        "spec.gate.rules[0]",
        "expected min, max or both",
        "got neither",
    ),
    "a rule whose bounds are crossed": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"metric": "f1", "min": 0.5, "max": 0.25}]}),
        "spec.gate.rules[0]",
        "expected min to be at most max",
        "got min above max",
    ),
    "a bound as text": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"metric": "f1", "min": "0.5"}]}),
        "spec.gate.rules[0].min",
        "number",
        "string",
    ),
    "a metric twice": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"metric": "f1", "min": 0.5}, {"metric": "f1", "max": 1}]}),
        "spec.gate.rules",
        "expected each metric once",
        "metric",
    ),
    "a metric with a quote": Wrong(
        changed(TRAINING, spec__gate={"rules": [{"metric": "f'1", "min": 0.5}]}),
        "spec.gate.rules[0].metric",
        "should match",
        '"f\'1"',
    ),
    "no attempts": Wrong(
        changed(TRAINING, spec__policy={"maxAttempts": 0}), "spec.policy.maxAttempts", "greater than or equal to 1", "0"
    ),
    "too many attempts": Wrong(
        changed(TRAINING, spec__policy={"maxAttempts": 21}), "spec.policy.maxAttempts", "less than or equal to 20", "21"
    ),
    "a run deadline of nothing": Wrong(
        changed(TRAINING, spec__policy={"runDeadline": "0s"}), "spec.policy.runDeadline", "more than no time", "0s"
    ),
    "a pending deadline that is no duration": Wrong(
        changed(TRAINING, spec__policy={"pendingDeadline": "1d"}), "spec.policy.pendingDeadline", "^(off|", '"1d"'
    ),
    "a time to live below nothing": Wrong(
        changed(TRAINING, spec__policy={"ttlSecondsAfterFinished": -1}),
        "spec.policy.ttlSecondsAfterFinished",
        "greater than or equal to 0",
        "-1",
    ),
    "a time to live as text": Wrong(
        changed(TRAINING, spec__policy={"ttlSecondsAfterFinished": "1h"}),
        "spec.policy.ttlSecondsAfterFinished",
        "integer",
        "string",
    ),
    "a parameter as a number": Wrong(
        changed(TRAINING, spec__params={"max_depth": 6}), "spec.params.max_depth", "string", "integer"
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_refused_with_field_expected_and_got(wrong: Wrong, resources: CustomResources) -> None:
    answer = resources.create(PLURAL[wrong.body["kind"]], wrong.body)
    assert answer.status_code == 422, answer.text
    causes = {cause["field"]: cause["message"] for cause in answer.json()["details"]["causes"]}
    assert wrong.field in causes, causes
    assert wrong.expected in causes[wrong.field]
    assert wrong.got in causes[wrong.field]
    # No other field is blamed. The scale subresource's own check names replicas again, with a dot before it.
    assert {field.lstrip(".") for field in causes} <= {wrong.field, "<nil>"}, causes


def test_the_samples_that_the_wrong_ones_are_made_of_are_right(resources: CustomResources) -> None:
    for body in (SERVING, TRAINING):
        assert resources.create(PLURAL[body["kind"]], body).status_code == 201


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_under_strict_validation(example: Path, kubectl: Kubectl) -> None:
    said = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(example))
    assert said.strip().endswith("created (server dry run)")


def test_both_crds_are_established_and_answer_to_short_names_and_category(kubectl: Kubectl) -> None:
    said = kubectl("api-resources", "--categories=fairlead", "--no-headers")
    assert sorted(line.split()[:2] for line in said.splitlines()) == [
        ["modeldeployments", "md"],
        ["trainingjobs", "tj"],
    ]


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client side", "server side"])
def test_applying_the_crds_again_changes_nothing(way: list[str], control_plane: ControlPlane, crds: None) -> None:
    folder = str(REPOSITORY / "crds")
    before = control_plane.kubectl("get", "crd", "-o", "jsonpath={.items[*].metadata.generation}")
    control_plane.kubectl("apply", *way, "-f", folder)
    assert control_plane.kubectl("get", "crd", "-o", "jsonpath={.items[*].metadata.generation}") == before
    assert control_plane.kubectl("diff", *way, "-f", folder) == ""


@pytest.mark.parametrize(
    ("body", "typo"),
    [
        (changed(SERVING, spec__rollout__progresDeadline="off"), "spec.rollout.progresDeadline"),
        (changed(SERVING, spec__volumes=[{"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}}]), "hostPath"),
        (changed(SERVING, spec__container={"securityContext": {"privileged": True}}), "spec.container.securityContext"),
        (changed(SERVING, spec__model__namespace="other"), "spec.model.namespace"),
        (changed(TRAINING, spec__hostNetwork=True), "spec.hostNetwork"),
        (changed(TRAINING, spec__parms={"a": "b"}), "spec.parms"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unknown_field_is_refused_by_name_under_strict_validation(
    body: dict[str, Any], typo: str, resources: CustomResources
) -> None:
    answer = resources.create(PLURAL[body["kind"]], body)
    assert answer.status_code == 400
    assert "unknown field" in answer.json()["message"]
    assert typo in answer.json()["message"]


def test_a_mistyped_safeguard_is_pruned_for_other_clients_and_its_default_stays_in_force(
    resources: CustomResources,
) -> None:
    typo = changed(SERVING, spec__rollout={"progresDeadline": "off", "pendngDeadline": "off"})
    assert resources.create("modeldeployments", typo, validation="Ignore").status_code == 201
    spec = resources.get("modeldeployments", "sample")["spec"]
    assert spec["rollout"] == DEFAULT_ROLLOUT


def test_a_limit_is_in_force_for_who_says_nothing_and_off_for_who_writes_off(resources: CustomResources) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    spec = resources.get("modeldeployments", "sample")["spec"]
    assert spec["rollout"] == DEFAULT_ROLLOUT
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (1, 10)
    off = changed(SERVING, metadata__name="off", spec__rollout={"progressDeadline": "off"})
    resources.create("modeldeployments", off).raise_for_status()
    rollout = resources.get("modeldeployments", "off")["spec"]["rollout"]
    assert rollout == {**DEFAULT_ROLLOUT, "progressDeadline": "off"}


def test_a_host_path_is_refused_even_when_the_unknown_field_is_pruned(resources: CustomResources) -> None:
    body = changed(SERVING, spec__volumes=[{"name": "root", "hostPath": {"path": "/"}}])
    answer = resources.create("modeldeployments", body, validation="Ignore")
    assert answer.status_code == 422
    assert "spec.volumes[0]: Invalid value: " in answer.json()["message"]
    assert "emptyDir, image, got none" in answer.json()["message"]


def test_a_bare_off_which_yaml_reads_as_false_is_refused_and_not_read_as_a_default(kubectl: Kubectl) -> None:
    text = yaml.safe_dump(SERVING) + "  rollout: {progressDeadline: off}\n"
    with pytest.raises(CommandError, match='progressDeadline in body must be of type string: "boolean"'):
        kubectl("create", "-f", "-", input=text)


FULL_TRAINING: dict[str, Any] = yaml.safe_load((REPOSITORY / "examples" / "trainingjob-full.yaml").read_text())


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({"op": "replace", "path": "/spec/container/image", "value": "trainer:2"}, "container"),
        ({"op": "add", "path": "/spec/params", "value": {"a": "b"}}, "params"),
        ({"op": "add", "path": "/spec/compute", "value": {}}, "compute"),
        ({"op": "remove", "path": "/spec/nodeSelector"}, "nodeSelector"),
        ({"op": "replace", "path": "/spec/register/alias", "value": "champion"}, "register"),
        ({"op": "add", "path": "/spec/gate", "value": {"rules": [{"metric": "f1", "min": 1}]}}, "gate"),
        ({"op": "replace", "path": "/spec/policy/maxAttempts", "value": 3}, "policy.maxAttempts"),
        ({"op": "replace", "path": "/spec/policy/runDeadline", "value": "1h"}, "policy.runDeadline"),
        ({"op": "replace", "path": "/spec/policy/pendingDeadline", "value": "off"}, "policy.pendingDeadline"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["op"],
)
def test_a_change_of_what_is_trained_is_refused_by_the_name_of_its_field(
    operation: dict[str, Any], field: str, resources: CustomResources
) -> None:
    resources.create("trainingjobs", changed(TRAINING, spec__nodeSelector={"disk": "ssd"})).raise_for_status()
    answer = resources.patch("trainingjobs", "sample", [operation])
    assert answer.status_code == 422
    causes = {cause["field"]: cause["message"] for cause in answer.json()["details"]["causes"]}
    assert set(causes) == {f"spec.{field}"}
    name = field.rpartition(".")[2]
    assert f"{name} is immutable: only suspend and policy.ttlSecondsAfterFinished may change" in causes[f"spec.{field}"]


def test_no_field_of_a_training_job_is_forgotten_by_the_rules_that_freeze_it(resources: CustomResources) -> None:
    """The example has every field of the spec: each one of them, taken away or changed, is refused."""
    made = resources.create("trainingjobs", FULL_TRAINING)
    made.raise_for_status()
    name, spec = made.json()["metadata"]["name"], made.json()["spec"]
    for field in sorted(set(spec) - {"suspend", "policy", "container", "register"}):
        answer = resources.patch("trainingjobs", name, [{"op": "remove", "path": f"/spec/{field}"}])
        assert answer.status_code == 422, field
        assert f"{field} is immutable" in answer.json()["message"]


def test_suspend_time_to_live_and_metadata_may_change_at_any_time(resources: CustomResources) -> None:
    resources.create("trainingjobs", TRAINING).raise_for_status()
    for operation in (
        {"op": "add", "path": "/metadata/labels", "value": {"team": "a"}},
        {"op": "replace", "path": "/spec/suspend", "value": True},
        {"op": "remove", "path": "/spec/suspend"},
        {"op": "replace", "path": "/spec/policy/ttlSecondsAfterFinished", "value": 0},
        {"op": "remove", "path": "/spec/policy"},
    ):
        answer = resources.patch("trainingjobs", "sample", [operation])
        assert answer.status_code == 200, answer.text


def test_a_training_job_gets_its_limits_written_down(resources: CustomResources) -> None:
    resources.create("trainingjobs", TRAINING).raise_for_status()
    spec = resources.get("trainingjobs", "sample")["spec"]
    limits = {"runDeadline": "24h", "pendingDeadline": "24h", "ttlSecondsAfterFinished": 86400}
    assert spec["policy"] == {"maxAttempts": 1, **limits}
    assert spec["suspend"] is False
    assert spec["register"] == {"model": "churn", "alias": "candidate"}


def _traffic(epoch: int, generation: int) -> dict[str, Any]:
    arms = [{"revision": "sample-1", "role": "stable", "weight": 100}]
    return {"schema": 1, "epoch": epoch, "generation": generation, "arms": arms}


@pytest.mark.parametrize(
    ("epoch", "generation", "code"),
    [(3, 7, 200), (3, 8, 200), (4, 7, 200), (4, 1, 200), (3, 6, 422), (2, 7, 422), (2, 99, 422)],
)
def test_a_deposed_leader_cannot_turn_traffic_back(
    epoch: int, generation: int, code: int, resources: CustomResources
) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    first = [{"op": "add", "path": "/status", "value": {"traffic": _traffic(3, 7)}}]
    assert resources.patch("modeldeployments", "sample", first, subresource="status").status_code == 200
    later = [{"op": "replace", "path": "/status/traffic", "value": _traffic(epoch, generation)}]
    answer = resources.patch("modeldeployments", "sample", later, subresource="status")
    assert answer.status_code == code, answer.text
    if code == 422:
        assert "status.traffic: " in answer.json()["message"]
        assert "this writer has been deposed" in answer.json()["message"]


def _arm(revision: str, weight: int, failover: str = "") -> dict[str, Any]:
    return {"revision": revision, "role": "canary" if failover else "stable", "weight": weight, "failover": failover}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"arms": [_arm("a", 90)]}, "arms: expected weights that add up to 100, or no arms"),
        ({"arms": [_arm("a", 90), _arm("b", 10, "c")]}, "arms: expected the revision of an arm as failover"),
        ({"port": 80}, "port in body should be greater than or equal to 10000"),
        ({"latencyLimit": "soon"}, "latencyLimit in body should match"),
        ({"arms": [_arm("a", 90), _arm("b", 10, "a")], "port": 10999, "latencyLimit": "250ms"}, ""),
        ({"arms": [], "unavailableReason": "Starting", "attemptTimeout": ""}, ""),
    ],
)
def test_traffic_that_makes_no_sense_is_refused(change: dict[str, Any], told: str, resources: CustomResources) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    value = {"traffic": {**_traffic(3, 7), **change}}
    patch = [{"op": "add", "path": "/status", "value": value}]
    answer = resources.patch("modeldeployments", "sample", patch, subresource="status")
    assert answer.status_code == (422 if told else 200), answer.text
    assert told in answer.text


@pytest.mark.parametrize("path", ["/status", "/status/traffic"])
def test_traffic_that_was_written_cannot_be_removed(path: str, resources: CustomResources) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    first = [{"op": "add", "path": "/status", "value": {"traffic": _traffic(3, 7)}}]
    resources.patch("modeldeployments", "sample", first, subresource="status").raise_for_status()
    answer = resources.patch("modeldeployments", "sample", [{"op": "remove", "path": path}], subresource="status")
    assert answer.status_code == 422
    assert resources.get("modeldeployments", "sample")["status"]["traffic"]["generation"] == 7


def test_a_deposed_leader_cannot_write_a_training_job_either(resources: CustomResources) -> None:
    resources.create("trainingjobs", TRAINING).raise_for_status()
    first = [{"op": "add", "path": "/status", "value": {"epoch": 3, "phase": "Running"}}]
    resources.patch("trainingjobs", "sample", first, subresource="status").raise_for_status()
    for value, code in (({"epoch": 2, "phase": "Failed"}, 422), ({"epoch": 3, "phase": "Succeeded"}, 200)):
        later = [{"op": "replace", "path": "/status", "value": value}]
        assert resources.patch("trainingjobs", "sample", later, subresource="status").status_code == code
    assert resources.patch(
        "trainingjobs", "sample", [{"op": "remove", "path": "/status"}], subresource="status"
    ).is_error


def test_a_user_who_writes_the_spec_cannot_write_the_status_with_it(resources: CustomResources) -> None:
    resources.create("modeldeployments", {**SERVING, "status": {"phase": "Stable"}}).raise_for_status()
    assert "phase" not in resources.get("modeldeployments", "sample").get("status", {})


def test_a_phase_that_does_not_exist_is_refused_in_status(resources: CustomResources) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    wrong = [{"op": "add", "path": "/status", "value": {"phase": "Baking"}}]
    answer = resources.patch("modeldeployments", "sample", wrong, subresource="status")
    assert answer.status_code == 422
    assert 'status.phase: Unsupported value: "Baking"' in answer.json()["message"]


def test_kubectl_scale_changes_the_replicas_and_autoscalers_find_the_pods(
    kubectl: Kubectl, resources: CustomResources
) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    status = {"replicas": 2, "selector": "fairlead.dev/revision=sample-1"}
    first = [{"op": "add", "path": "/status", "value": status}]
    resources.patch("modeldeployments", "sample", first, subresource="status").raise_for_status()
    kubectl("scale", "md", "sample", "--replicas=3")
    assert resources.get("modeldeployments", "sample")["spec"]["replicas"] == 3
    scale = kubectl(
        "get", "md", "sample", "--subresource=scale", "-o", "jsonpath={.status.replicas} {.status.selector}"
    )
    assert scale == "2 fairlead.dev/revision=sample-1"
    with pytest.raises(CommandError, match=r"spec\.replicas"):
        kubectl("scale", "md", "sample", "--replicas=0")


READY = {"type": "Ready", "status": "True", "reason": "Serving", "lastTransitionTime": "2026-01-01T00:00:00Z"}
ROLLED_OUT = {**READY, "type": "RolledOut", "status": "False", "reason": "ImageNotFound", "message": "no such image"}


EVIDENCE = {
    **dict.fromkeys(("candidate", "incumbent"), "sample-99999999"),
    **dict.fromkeys(("since", "updated"), "2026-01-01T00:00:00Z"),
    **{"stage": "Canary", "step": 1, "steps": 3, "weight": 5, "policy": "{}", "state": "[]"},
}


def test_kubectl_get_prints_what_serves_what_comes_and_why_it_waits(
    kubectl: Kubectl, resources: CustomResources
) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    revision = {"revision": "sample-0a1b2c3d", "modelVersion": "4", "since": "2026-01-01T00:00:00Z"}
    status = {
        "phase": "Canary",
        "model": {"name": "churn", "version": "5"},
        "evidence": EVIDENCE,
        "stable": revision,
        "candidate": {**revision, "revision": "sample-99999999", "modelVersion": "5"},
        "conditions": [READY, ROLLED_OUT],
    }
    first = [{"op": "add", "path": "/status", "value": status}]
    resources.patch("modeldeployments", "sample", first, subresource="status").raise_for_status()
    head, row = kubectl("get", "md").splitlines()
    assert " ".join(head.split()) == "NAME MODEL VERSION STABLE CANDIDATE WEIGHT PHASE READY REASON AGE"
    assert row.split()[:9] == [
        "sample",
        "churn",
        "4",
        "sample-0a1b2c3d",
        "sample-99999999",
        "5",
        "Canary",
        "True",
        "ImageNotFound",
    ]
    assert "no such image" in kubectl("get", "md", "-o", "wide")


def test_kubectl_get_of_the_category_prints_both_kinds(kubectl: Kubectl, resources: CustomResources) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    resources.create("trainingjobs", TRAINING).raise_for_status()
    version = {"name": "churn", "version": "5"}
    status = {"phase": "Succeeded", "attempt": 2, "modelVersion": version, "conditions": [READY]}
    first = [{"op": "add", "path": "/status", "value": status}]
    resources.patch("trainingjobs", "sample", first, subresource="status").raise_for_status()
    said = kubectl("get", "fairlead")
    assert "modeldeployment.fairlead.dev/sample" in said
    assert "trainingjob.fairlead.dev/sample" in said
    head, row = kubectl("get", "tj").splitlines()
    assert head.split() == ["NAME", "MODEL", "VERSION", "PHASE", "ATTEMPT", "REASON", "AGE"]
    assert row.split()[:6] == ["sample", "churn", "5", "Succeeded", "2", "Serving"]


def test_conditions_of_two_managers_are_told_apart_by_their_type(kubectl: Kubectl, resources: CustomResources) -> None:
    resources.create("modeldeployments", SERVING).raise_for_status()
    twice = [{"op": "add", "path": "/status", "value": {"conditions": [READY, READY]}}]
    answer = resources.patch("modeldeployments", "sample", twice, subresource="status")
    assert answer.status_code == 422
    assert "status.conditions[1]: Duplicate value" in answer.json()["message"]


def test_kubectl_explain_tells_what_a_field_means(kubectl: Kubectl) -> None:
    said = kubectl("explain", "md.spec.rollout.progressDeadline")
    assert "How long a new revision, its pods on nodes, may take to be ready" in " ".join(said.split())

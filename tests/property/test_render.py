"""Whatever spec the CRDs let in: only allow-listed fields reach a pod, and the hash is of the revision alone."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.property.simulated import stored_form
from tests.property.specs import SERVING_SPECS, TRAINING_SPECS
from tests.unit.builders import DEFAULTS, UID

from fairlead.api.model_deployment import ModelDeploymentSpec, ResolvedModel
from fairlead.api.resource import Meta
from fairlead.api.training_job import RunStatus, TrainingJobSpec
from fairlead.core.compare import covers, digest_of, in_place, stamped
from fairlead.render.serving import render_template, revision_inputs
from fairlead.render.training import render_job

META = Meta(name="churn", namespace="team", uid=UID, generation=1, deleting=False)
MODEL = ResolvedModel(name="churn", alias="candidate", version="3")
RUN = RunStatus(id="run-1", experiment_id="1")
MODELS = st.sampled_from([None, MODEL])

POD_FIELDS = {
    "containers", "initContainers", "automountServiceAccountToken", "enableServiceLinks", "securityContext",
    "imagePullSecrets", "serviceAccountName", "nodeSelector", "priorityClassName", "runtimeClassName",
    "terminationGracePeriodSeconds", "volumes", "tolerations", "affinity", "topologySpreadConstraints", "restartPolicy",
}  # fmt: skip
CONTAINER_FIELDS = {
    "name", "image", "imagePullPolicy", "command", "args", "env", "envFrom", "resources", "volumeMounts", "ports",
    "securityContext", "terminationMessagePolicy", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle",
}  # fmt: skip
VOLUME_FIELDS = {"name", "persistentVolumeClaim", "configMap", "secret", "emptyDir", "image"}
SAFE_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
SAFE_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod["containers"]
    yield from pod.get("initContainers", ())


def check_pod(pod: dict[str, Any], template: dict[str, Any]) -> None:
    """Nothing but what the allow-list names, and Pod Security `restricted`."""
    assert json.loads(json.dumps(template)) == template
    assert set(pod) <= POD_FIELDS
    assert pod["securityContext"] == SAFE_POD
    assert pod["automountServiceAccountToken"] is ("serviceAccountName" in pod)
    for volume in pod.get("volumes", ()):
        assert set(volume) <= VOLUME_FIELDS
    for container in containers(pod):
        assert set(container) <= CONTAINER_FIELDS
        safe = {key: value for key, value in container["securityContext"].items() if key != "readOnlyRootFilesystem"}
        assert safe == SAFE_CONTAINER
        assert all(set(port) == {"name", "containerPort", "protocol"} for port in container.get("ports", ()))
        names = [item["name"] for item in container["env"]]
        assert "PYTHONUNBUFFERED" in names


def template_of(spec: ModelDeploymentSpec, model: ResolvedModel | None) -> dict[str, Any]:
    return render_template(META, spec, model, revision="churn-1", defaults=DEFAULTS)


@given(SERVING_SPECS, MODELS)
def test_only_allow_listed_fields_of_a_modeldeployment_reach_a_pod(
    spec: ModelDeploymentSpec, model: ResolvedModel | None
) -> None:
    template = template_of(spec, model)
    check_pod(template["spec"], template)
    labels = template["metadata"]["labels"]
    assert labels["fairlead.dev/revision"] == "churn-1"
    assert labels["fairlead.dev/modeldeployment"] == "churn"


@given(TRAINING_SPECS)
def test_only_allow_listed_fields_of_a_trainingjob_reach_a_pod(spec: TrainingJobSpec) -> None:
    job = render_job(META, spec, run=RUN, attempt=1, defaults=DEFAULTS)
    template = job["spec"]["template"]
    check_pod(template["spec"], template)
    assert template["spec"]["restartPolicy"] == "Never"
    assert (job["spec"]["backoffLimit"], job["metadata"]["name"]) == (0, "churn-1")
    env = {item["name"]: item.get("value") for item in template["spec"]["containers"][0]["env"]}
    assert env["MLFLOW_RUN_ID"] == "run-1", "the operator's variables win"
    as_the_trainer_sees_it = str(env["FAIRLEAD_PARAMS"]).replace("$$", "$")
    assert json.loads(as_the_trainer_sees_it) == (spec.params or {})


@given(SERVING_SPECS, MODELS)
def test_what_the_api_server_gives_back_needs_no_second_write(
    spec: ModelDeploymentSpec, model: ResolvedModel | None
) -> None:
    template = template_of(spec, model)
    made = stamped({"kind": "Deployment", "metadata": {"name": "churn-1"}, "spec": {"template": template}})
    assert covers(template, template)
    assert in_place(made, {**made, "spec": {**stored_form(made["spec"]), "progressDeadlineSeconds": 600}})


OUTSIDE = st.fixed_dictionaries(
    {
        "replicas": st.integers(1, 9),
        "revisionHistoryLimit": st.integers(0, 9),
        "rollout": st.fixed_dictionaries({"pendingDeadline": st.sampled_from(["off", "1m"])}),
    }
)


@given(SERVING_SPECS, OUTSIDE, st.sampled_from(["candidate", "champion", ""]))
def test_replicas_rollout_history_and_alias_are_no_part_of_a_revision(
    spec: ModelDeploymentSpec, outside: dict[str, Any], alias: str
) -> None:
    other = ModelDeploymentSpec.model_validate(spec.wire() | outside)
    model = MODEL.model_copy(update={"alias": alias})
    assert digest_of(revision_inputs(spec, MODEL)) == digest_of(revision_inputs(other, model))


@given(SERVING_SPECS)
def test_another_version_of_the_model_is_another_revision(spec: ModelDeploymentSpec) -> None:
    newer = MODEL.model_copy(update={"version": "4"})
    digested = MODEL.model_copy(update={"digest": "sha256:1"})
    hashes = {digest_of(revision_inputs(spec, model)) for model in (MODEL, newer, digested)}
    assert len(hashes) == 3

"""The registering Job: hashes the files of the model that an attempt logged, and tells their digest as it ends."""

from typing import Any

from fairlead.api.names import LABEL_COMPONENT, registering_name
from fairlead.api.resource import Meta
from fairlead.api.training_job import Compute, RunStatus, TrainingJobSpec
from fairlead.render.defaults import REGISTERING_CONTAINER, RenderDefaults
from fairlead.render.owner import owner_reference
from fairlead.render.pods import render_container, render_metadata, render_pod_spec
from fairlead.render.training import training_labels

BACKOFF_LIMIT = 2
DEADLINE_SECONDS = 600
"""How long one pod tries: it waits out an outage of MLflow by itself."""
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
"""Files are read in pieces: memory does not grow with the model."""


def _fields_of(spec: TrainingJobSpec) -> TrainingJobSpec:
    """What lets a pod run where the trainer ran, less what the user's own code was given there."""
    own = ("volumes", "service_account_name", "runtime_class_name", "termination_grace_period_seconds")
    return spec.model_copy(update=dict.fromkeys(own))


def render_registering_job(
    meta: Meta, spec: TrainingJobSpec, *, run: RunStatus, model_id: str, attempt: int, defaults: RenderDefaults
) -> dict[str, Any]:
    """The Job: the serving image, one pod at a time; one that the cluster takes away costs nothing."""
    labels = {**training_labels(meta, attempt), LABEL_COMPONENT: "registering"}
    container = render_container(
        None,
        name=REGISTERING_CONTAINER,
        image=defaults.serving_image,
        defaults=defaults,
        namespace=meta.namespace,
        env={
            "MLFLOW_TRACKING_URI": defaults.registry_pod_url,
            "MODEL_ID": model_id,
            "RUN_ID": run.id,
            "LOAD_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
        },
        resources=RESOURCES,
        read_only=True,
        calls_registry=True,
    )
    pod = render_pod_spec(
        _fields_of(spec),
        containers=[{**container, "command": ["python", "-m", "fairlead_serving.manifest"]}],
        # No GPU is asked for; its taint and product only say where the trainer's nodes are.
        gpu=(spec.compute or Compute()).gpu,
        restricted=defaults.restricted(meta.namespace),
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": registering_name(meta.name, attempt),
            "namespace": meta.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference("TrainingJob", meta)],
        },
        "spec": {
            "backoffLimit": BACKOFF_LIMIT,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
            "template": {"metadata": render_metadata(spec, labels), "spec": {**pod, "restartPolicy": "Never"}},
        },
    }

"""The Job of one attempt."""

import json
from typing import Any

from fairlead.api.names import (
    LABEL_ATTEMPT,
    LABEL_COMPONENT,
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    LABEL_TRAINING_JOB,
    MANAGED_BY,
    attempt_name,
)
from fairlead.api.resource import Meta
from fairlead.api.training_job import Compute, RunStatus, TrainingJobSpec
from fairlead.render.defaults import TRAINER_CONTAINER, RenderDefaults
from fairlead.render.owner import owner_reference
from fairlead.render.pods import (
    SHARED_MEMORY_MOUNT,
    render_container,
    render_metadata,
    render_pod_spec,
    render_resources,
    render_spread,
    shared_memory_volume,
)


def training_labels(meta: Meta, attempt: int) -> dict[str, str]:
    """Labels of the Job and its pods."""
    return {
        LABEL_NAME: "fairlead-training",
        LABEL_INSTANCE: meta.name,
        LABEL_COMPONENT: "training",
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_TRAINING_JOB: meta.name,
        LABEL_ATTEMPT: str(attempt),
    }


def training_env(spec: TrainingJobSpec, run: RunStatus, *, attempt: int, registry_url: str) -> dict[str, str]:
    """The contract with the container: MLflow's own variables and three of ours."""
    return {
        "MLFLOW_TRACKING_URI": registry_url,
        "MLFLOW_RUN_ID": run.id,
        "MLFLOW_EXPERIMENT_ID": run.experiment_id,
        # The kubelet replaces $(NAME) in a value by a variable of that name, and $$ by $.
        "FAIRLEAD_PARAMS": json.dumps(spec.params or {}, sort_keys=True).replace("$", "$$"),
        "ATTEMPT": str(attempt),
    }


def render_job(
    meta: Meta, spec: TrainingJobSpec, *, run: RunStatus, attempt: int, defaults: RenderDefaults
) -> dict[str, Any]:
    """The Job: one pod, never restarted; a pod that the cluster evicts or preempts is replaced and costs nothing."""
    labels = training_labels(meta, attempt)
    compute = spec.compute or Compute()
    shared = compute.shared_memory
    main = render_container(
        spec.container,
        name=TRAINER_CONTAINER,
        image=spec.container.image,
        defaults=defaults,
        namespace=meta.namespace,
        env=training_env(spec, run, attempt=attempt, registry_url=defaults.registry_pod_url),
        resources=render_resources(compute.resources, compute.gpu),
        extra_mounts=[SHARED_MEMORY_MOUNT] if shared is not None else [],
        calls_registry=True,
    )
    pod = render_pod_spec(
        spec,
        containers=[main],
        gpu=compute.gpu,
        restricted=defaults.restricted(meta.namespace),
        extra_volumes=[shared_memory_volume(shared)] if shared is not None else [],
    )
    pod["restartPolicy"] = "Never"
    if spread := render_spread(spec, {LABEL_TRAINING_JOB: meta.name, LABEL_ATTEMPT: str(attempt)}):
        pod["topologySpreadConstraints"] = spread
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": attempt_name(meta.name, attempt),
            "namespace": meta.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference("TrainingJob", meta)],
        },
        "spec": {
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
            "template": {"metadata": render_metadata(spec, labels), "spec": pod},
        },
    }

"""Fairlead and what it stands on in the local cluster: images, MLflow, the chart. Shared by demo and tests."""

from collections.abc import Mapping
from pathlib import Path

from tests.cluster import images
from tests.cluster.interface import Cluster
from tests.cluster.progress import step

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "helm" / "fairlead"
NAMESPACE = "fairlead-system"
IMAGES = {
    "localhost/fairlead-operator:dev": "operator/Dockerfile",
    "localhost/fairlead-serving:dev": "serving/Dockerfile",
    "localhost/fairlead-gateway:dev": "serving/gateway.Dockerfile",
    "localhost/fairlead-trainer:dev": "examples/training/Dockerfile",
    "localhost/fairlead-mlflow:dev": "examples/platform/Dockerfile.mlflow",
}
PROMETHEUS_IMAGE = "localhost/fairlead-prometheus:dev"
PROMETHEUS_URL = "http://prometheus.prometheus.svc:9090"
RETIREMENT_GRACE_SECONDS = "8"
SETTINGS = {"retirementGraceSeconds": RETIREMENT_GRACE_SECONDS, "prometheus.url": PROMETHEUS_URL}
"""Of the chart, beside the registry."""
REGISTRY_URL = "http://mlflow.mlflow.svc:5000"


def build_images(cluster: Cluster) -> None:
    """Build the five images from the checkout and give them to the node; what is unchanged is left alone."""
    for ref, dockerfile in IMAGES.items():
        images.build(ref, ROOT / dockerfile, ROOT)
        cluster.load(ref)


def install_mlflow(cluster: Cluster) -> None:
    """MLflow in its own namespace; returns when it is ready."""
    with step("MLflow"):
        cluster.kubectl("apply", "-f", str(ROOT / "examples/platform/mlflow.yaml"))
        cluster.kubectl("-n", "mlflow", "rollout", "status", "deploy/mlflow", "--timeout=180s")


def install_prometheus(cluster: Cluster) -> None:
    """Prometheus in its own namespace, its image built around the compiled binary; returns when it is ready."""
    images.build_around(PROMETHEUS_IMAGE, "prometheus", ROOT / "examples/platform/Dockerfile.prometheus")
    cluster.load(PROMETHEUS_IMAGE)
    with step("Prometheus"):
        cluster.kubectl("apply", "-f", str(ROOT / "examples/platform/prometheus.yaml"))
        cluster.kubectl("-n", "prometheus", "rollout", "status", "deploy/prometheus", "--timeout=120s")


def install_fairlead(cluster: Cluster, values: Mapping[str, str] | None = None) -> None:
    """The chart from the checkout; returns when the operator is ready and runs the image as it is now."""
    every = {"registry.allow[0].namespaces": "{*}", "registry.allow[0].models": "{*}"}
    given = {"registry.url": REGISTRY_URL, **every, **(values or {})}
    settings = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    with step("helm install fairlead"):
        cluster.helm(
            "upgrade", "--install", "fairlead", str(CHART), "-n", NAMESPACE, "--create-namespace",
            *settings, "--set-string", f"podAnnotations.image-id={_operator_image_id()}",
            "--wait", "--timeout", "120s",
        )  # fmt: skip


def install_all(cluster: Cluster, values: Mapping[str, str] | None = None) -> None:
    """The cluster, up, with MLflow, Prometheus and Fairlead as the checkout has it."""
    cluster.up()
    build_images(cluster)
    install_mlflow(cluster)
    install_prometheus(cluster)
    install_fairlead(cluster, {**SETTINGS, **(values or {})})


def _operator_image_id() -> str:
    """The tag stays `dev`, so the image's id makes the Deployment notice another build."""
    return images.image_id("localhost/fairlead-operator:dev") or ""


def mlflow_url(cluster: Cluster) -> str:
    """MLflow as this machine reaches it."""
    return f"http://{cluster.kubectl('-n', 'mlflow', 'get', 'svc', 'mlflow', '-o', 'jsonpath={.spec.clusterIP}')}:5000"


def prometheus_url(cluster: Cluster) -> str:
    """Prometheus as this machine reaches it."""
    address = cluster.kubectl("-n", "prometheus", "get", "svc", "prometheus", "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{address}:9090"

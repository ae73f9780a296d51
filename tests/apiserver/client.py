"""How the tests of this folder talk to the API server."""

import json
from typing import Any, Protocol

import httpx


class Kubectl(Protocol):
    """The real kubectl in the test's namespace: `kubectl("get", "md", "-o", "name")`."""

    def __call__(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Standard output; with `check`, a failure raises CommandError with standard error in it."""
        ...


class CustomResources:
    """Raw requests for the two kinds in one namespace; each returns the response, whatever its code."""

    def __init__(self, api: httpx.Client, namespace: str) -> None:
        self._api = api
        self._root = f"/apis/fairlead.dev/v1alpha1/namespaces/{namespace}"

    def create(self, plural: str, body: dict[str, Any], *, validation: str = "Strict", dry_run: bool = False) -> Any:
        """POST the object."""
        params = {"fieldValidation": validation} | ({"dryRun": "All"} if dry_run else {})
        return self._api.post(f"{self._root}/{plural}", json=body, params=params)

    def patch(self, plural: str, name: str, operations: list[dict[str, Any]], *, subresource: str = "") -> Any:
        """JSON Patch of the object or of a subresource (`status`, `scale`)."""
        path = f"{self._root}/{plural}/{name}" + (f"/{subresource}" if subresource else "")
        headers = {"Content-Type": "application/json-patch+json"}
        return self._api.patch(path, content=json.dumps(operations), headers=headers)

    def get(self, plural: str, name: str) -> dict[str, Any]:
        """The object; HTTPStatusError when there is none."""
        body: dict[str, Any] = self._api.get(f"{self._root}/{plural}/{name}").raise_for_status().json()
        return body

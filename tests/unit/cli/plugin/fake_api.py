"""An API server with one ModelDeployment in it, for the commands; what is real of it is in tests/apiserver."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from click.testing import CliRunner, Result
from tests.unit.builders import NOW, serving_body

from fairlead.adapters.connection import Connection
from fairlead.api.request import parse_request
from fairlead.cli.plugin.cluster import UserCluster
from fairlead.cli.plugin.commands import cli
from fairlead.cli.plugin.request_commands import add_requests
from fairlead.cli.plugin.running import Environment, Where
from fairlead.ports import Clock

PATH = "/apis/fairlead.dev/v1alpha1/namespaces/team/modeldeployments"
MODEL = {"name": "churn", "alias": "candidate"}
Status = dict[str, Any]
Answer = Callable[[httpx.Request], httpx.Response | None]


class StoppedClock:
    """It is always noon, and nobody has to wait."""

    def now(self) -> datetime:
        """Noon."""
        return NOW

    def monotonic(self) -> float:
        """Nothing passes."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """At once, but others get their turn."""
        await asyncio.sleep(0)


@dataclass
class FakeApi:
    """`states`: the statuses one after the other, each watch brings the next, and the last one a deletion.

    `says`: the operator's answer to a request. `hangs`: no watch brings anything. `other` answers before all else.
    """

    states: Sequence[Status | None]
    says: tuple[bool, str] | None = None
    hangs: bool = False
    other: Answer = lambda _request: None
    requests: list[httpx.Request] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    at: int = 0

    @property
    def body(self) -> dict[str, Any]:
        """The ModelDeployment as it is now."""
        body = serving_body(status=self.states[min(self.at, len(self.states) - 1)], model=MODEL)
        body["metadata"]["annotations"] = dict(self.annotations)
        if self.annotations and self.says:
            asked = parse_request(self.annotations["fairlead.dev/request"])
            said = {"verb": asked.verb, "revision": asked.revision, "nonce": asked.nonce, "at": "2026-05-04T12:00:00Z"}
            body["status"] = {
                **(body.get("status") or {}),
                "lastRequest": {**said, "accepted": self.says[0], "message": self.says[1]},
            }
        return body

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.requests.append(request)
        if answer := self.other(request):
            return answer
        if request.method == "PATCH":
            self.annotations = json.loads(request.content)["metadata"]["annotations"]
        if "watch" in request.url.params:
            return httpx.Response(200, content=self.changes())
        found = self.stored(request.url.path)
        return httpx.Response(404, json={"message": "not found"}) if found is None else httpx.Response(200, json=found)

    def stored(self, path: str) -> dict[str, Any] | None:
        """What there is at this path."""
        if path == PATH:
            return {"items": [self.body], "metadata": {}}
        if path.endswith("/trainingjobs"):
            return {"items": [], "metadata": {}}
        return self.body if path == f"{PATH}/churn" and self.at < len(self.states) else None

    async def changes(self) -> AsyncIterator[bytes]:
        """The next status, or the deletion after the last one."""
        if self.hangs:
            await asyncio.Event().wait()
        self.at += 1
        kind = "MODIFIED" if self.at < len(self.states) else "DELETED"
        yield json.dumps({"type": kind, "object": self.body}).encode() + b"\n"

    def reach(self, where: Where, clock: Clock) -> UserCluster:
        """As running.reach does it."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle), base_url="https://api.example")
        return UserCluster(Connection(http, lambda: ""), clock, where.namespace or "team")

    def run(self, *arguments: str, input: str = "") -> Result:
        """One command line."""
        if "promote" not in cli.commands:
            add_requests(cli)
        environment = Environment(self.reach, StoppedClock(), lambda: "k3x9")
        return CliRunner().invoke(cli, list(arguments), obj=environment, input=input)

    @property
    def written(self) -> list[Mapping[str, Any]]:
        """Bodies of all writes."""
        return [json.loads(item.content) for item in self.requests if item.method == "PATCH"]

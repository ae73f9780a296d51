"""One ModelDeployment behind the gateway: its pods, its traffic, its users, and what is told of it."""

import re
from collections import Counter
from contextlib import ExitStack
from typing import Any

import httpx
from tests.apiserver.gateway_world import GatewayWorld, arms_of, traffic
from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import NO_TLS
from tests.gateway.backend import Backend
from tests.gateway.traffic import next_port

OPERATOR = ("fairlead", "fairlead-evidence")


class Served:
    """One ModelDeployment and its revisions' pods, `<role>-<port>` each."""

    def __init__(self, world: GatewayWorld, pods: ExitStack) -> None:
        self.world = world
        self.port = next_port()
        self.name = f"md-{self.port}"
        self.generation = 0
        self._pods = pods
        world.deploy(self.name)

    def pod(self, role: str, **behaviour: Any) -> Backend:
        """The one pod of a revision, ready."""
        backend = self._pods.enter_context(Backend("0.0.0.0", body=role.encode(), **behaviour))
        self.world.endpoints(self.revision(role), [backend])
        return backend

    def revision(self, role: str) -> str:
        """The revision in this role."""
        return f"{role}-{self.port}"

    def arms(self, **weights: int) -> list[dict[str, Any]]:
        """The shares by role; a canary fails over to stable."""
        return arms_of({role: self.revision(role) for role in weights}, weights)

    def write(self, **changed: Any) -> int:
        """The next generation of the traffic; returns its number."""
        self.generation += 1
        body = {"generation": self.generation, "arms": self.arms(stable=100), **changed}
        self.world.traffic(self.name, traffic(body.pop("generation"), self.port, **body))
        return self.generation

    def serve(self, **changed: Any) -> None:
        """The next generation, until Envoy has it."""
        self.world.gateway.wait_applied(self.name, self.write(**changed))

    def ask(self, number: int = 1, **headers: str) -> Counter[str]:
        """Who answered so many requests, all of them well; the header says the same as the body."""
        with httpx.Client(trust_env=False, verify=NO_TLS) as client:
            found = [client.get(f"http://127.0.0.1:{self.port}/", headers=headers) for _ in range(number)]
        assert Counter(answer.status_code for answer in found) == {200: number}
        assert all(answer.headers["x-fairlead-revision"] == self.revision(answer.text) for answer in found)
        return Counter(answer.text for answer in found)

    def counters(self, role: str, use: str) -> dict[str, float]:
        """The series of a revision's use by their short names."""
        pattern = re.compile(
            rf'fairlead_gateway_(\w+){{modeldeployment="{self.name}",revision="{self.revision(role)}",use="{use}"}}'
        )
        found = self.world.gateway.metrics().items()
        return {match[1]: value for series, value in found if (match := pattern.fullmatch(series))}

    def rejection(self) -> tuple[int, str, str] | None:
        """Generation, reason and message of what is not served, as the operator reads them."""
        text = self.world.gateway.evidence(self.world.token(*OPERATOR)).text
        found = re.search(
            rf'^fairlead_gateway_rejected{{modeldeployment="{self.name}",generation="(\d+)",reason="(\w+)",'
            r'message="(.*)"} 1$',
            text,
            re.MULTILINE,
        )
        return (int(found[1]), found[2], found[3]) if found else None

    def wait_rejected(self, generation: int) -> tuple[str, str]:
        """Until this generation is told to be refused: why, in one word and in a sentence."""

        def refused() -> tuple[int, str, str] | None:
            found = self.rejection()
            return found if found and found[0] == generation else None

        _, reason, message = eventually(f"{self.name} {generation} rejected", refused, seconds=10)
        return reason, message

    def rejections(self) -> float:
        """How many were refused so far."""
        return self.world.gateway.metrics()[f'fairlead_gateway_rejections_total{{modeldeployment="{self.name}"}}']

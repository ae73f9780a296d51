"""What the last look at each namespace's gateway found, and who has to hear of it.

A gateway has no custom resource: the ModelDeployments of its namespace tell how it stands, so they are looked at again
whenever that changes.
"""

from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.core.world import GatewayFacts, GatewayWorld
from fairlead.shell.keys import Key, gateway_key
from fairlead.shell.queue import WorkQueue

GATHERING_SECONDS = 1.0
"""How long owners are collected for a gateway that is there: many ModelDeployments may come at once."""


class Gateways:
    """By namespace. `facts` are without the reports of the gateway's pods."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self._facts: dict[str, GatewayFacts] = {}
        self._owners: dict[str, frozenset[str]] = {}

    def facts(self, namespace: str) -> GatewayFacts:
        """What the last look found; `known` is False before the first."""
        return self._facts.get(namespace) or GatewayFacts(known=False)

    def require(self, key: Key, uid: str) -> None:
        """A ModelDeployment needs its namespace's gateway, and has to be among its owners."""
        if uid not in self._owners.get(key.namespace, ()):
            self._look(key.namespace)

    def gone(self, key: Key) -> None:
        """A ModelDeployment is no more: it leaves the list of the owners."""
        if key.namespace in self._facts:
            self._look(key.namespace)

    def noted(self, world: GatewayWorld, facts: GatewayFacts) -> None:
        """A look has ended, well or not. A namespace without ModelDeployments is forgotten."""
        namespace = world.namespace
        if not world.owners:
            self._facts.pop(namespace, None)
            self._owners.pop(namespace, None)
            return
        self._owners[namespace] = frozenset(owner.uid for owner in world.owners)
        if self._facts.get(namespace) == facts:
            return
        self._facts[namespace] = facts
        for owner in world.owners:
            self._queue.add(Key(MODEL_DEPLOYMENT.kind, namespace, owner.name))

    def _look(self, namespace: str) -> None:
        facts = self._facts.get(namespace)
        if facts is None or facts.workload is None:
            self._queue.add(gateway_key(namespace))
        else:
            self._queue.add_after(gateway_key(namespace), GATHERING_SECONDS)

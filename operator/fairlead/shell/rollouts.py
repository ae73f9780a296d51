"""What is kept of rollouts between two looks, and how many are on: a leader's memory, lost with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.core.effects import Remembered
from fairlead.core.serving.telling import Told
from fairlead.core.world import RolloutRules
from fairlead.shell.cache import Cache
from fairlead.shell.keys import Key


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's settings about rollouts; None: no limit."""

    frozen: bool = False
    most_in_cluster: int | None = None
    most_in_namespace: int | None = None


@dataclass(slots=True)
class Rollouts:
    """By ModelDeployment."""

    cache: Cache
    limits: Limits = Limits()
    _known: dict[Key, Remembered] = field(default_factory=dict)
    _told: dict[Key, frozenset[Told]] = field(default_factory=dict)

    def remember(self, key: Key, known: Remembered | None) -> None:
        """What the last look saw, when nothing was written; None: no rollout is on."""
        if known is None:
            self._known.pop(key, None)
        else:
            self._known[key] = known

    def remembered(self, key: Key) -> Remembered | None:
        """The same, for the next look."""
        return self._known.get(key)

    def forget(self, key: Key) -> None:
        """The ModelDeployment is gone."""
        self._known.pop(key, None)
        self._told.pop(key, None)

    def told(self, key: Key) -> frozenset[Told]:
        """Ends of rollouts that the registry has heard of, and the status may not say so yet."""
        return self._told.get(key, frozenset())

    def heard(self, key: Key, entry: Told) -> None:
        """The registry has heard of this end."""
        self._told[key] = self.told(key) | {entry}

    def rules(self, key: Key) -> RolloutRules:
        """What holds for this ModelDeployment now. Those that begin at the same moment may be one too many each."""
        cluster, namespace = self.limits.most_in_cluster, self.limits.most_in_namespace
        if cluster is None and namespace is None:
            return RolloutRules(frozen=self.limits.frozen)
        others = [body["metadata"]["namespace"] for body in self._on(key)]
        room = (cluster is None or len(others) < cluster) and (
            namespace is None or others.count(key.namespace) < namespace
        )
        return RolloutRules(frozen=self.limits.frozen, room=room)

    def _on(self, key: Key) -> list[Mapping[str, Any]]:
        """The other ModelDeployments that have a rollout on."""
        return [
            body
            for body in self.cache.of_kind(MODEL_DEPLOYMENT.kind)
            if (body.get("status") or {}).get("evidence")
            and (body["metadata"]["namespace"], body["metadata"]["name"]) != (key.namespace, key.name)
        ]

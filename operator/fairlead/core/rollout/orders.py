"""What a rollout is told beside the evidence: by people, and by how far its pods have come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Orders:
    """What people have said about the rollout as it stands."""

    paused: bool = False
    """spec.paused."""
    frozen: bool = False
    """The operator's setting: nothing moves anywhere."""
    approve: bool = False
    """The step that is on is approved of."""
    scaled: bool = True
    """The candidate has the ready pods that the next weight needs."""

    @property
    def stopped(self) -> bool:
        """Whether the rollout stands still because somebody wants it to."""
        return self.paused or self.frozen


NO_ORDERS = Orders()

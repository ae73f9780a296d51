"""Where the server stands: loading, ready, draining; and the model once there is one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairlead_serving.backend import Model
    from fairlead_serving.example import Example


class Phase(StrEnum):
    """A server loads, then it is ready, then it drains; it never goes back."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


@dataclass(slots=True)
class Lifecycle:
    """The one piece of state that changes; written by the server's main task only."""

    phase: Phase = Phase.LOADING
    model: Model | None = None
    example: Example | None = None

    @property
    def ready(self) -> bool:
        """Whether new traffic is wanted. A draining server still answers, but wants none."""
        return self.phase is Phase.READY

    def loaded(self, model: Model, example: Example | None = None) -> None:
        """The model can answer; example holds rows that it has answered already."""
        self.model = model
        self.example = example
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    def drain(self) -> None:
        """The server was told to stop."""
        self.phase = Phase.DRAINING

"""From a rollout's stage and weight to the shares that `status.traffic` names."""

from dataclasses import dataclass

from fairlead.api.traffic import Arm, ArmRole, Mirror
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.state import Stage, State

NOBODY = ""
"""In the place of a revision to be compared with."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is judged, and who it is compared with: stable before the promotion, previous after it."""

    candidate: str
    incumbent: str


def is_promoted(policy: Policy, state: State) -> bool:
    """Whether the last step has passed: the candidate is stable now, and what follows is the guard."""
    return state.stage is not Stage.ENDED and state.step >= len(policy.steps_percent)


def arms_of(policy: Policy, state: State, contest: Contest) -> tuple[Arm, ...]:
    """The shares of a rollout. They add up to 100; what fails on the judged revision goes to the other one.

    After the end everything goes to the one that won; beside a shadow everything is stable's. The weight is rounded to
    a whole percent, but never to nothing: a candidate that is to get some of the traffic gets some.
    """
    if state.stage is Stage.ENDED:
        winner = contest.candidate if state.weight_percent > 0 else contest.incumbent
        return (Arm(revision=winner, role=ArmRole.STABLE, weight=100),)
    if state.stage is Stage.SHADOW:
        return (Arm(revision=contest.incumbent, role=ArmRole.STABLE, weight=100),)
    weight = max(1, round(state.weight_percent)) if state.weight_percent else 0
    promoted = is_promoted(policy, state)
    behind = contest.incumbent if policy.failover else ""
    judged = Arm(
        revision=contest.candidate,
        role=ArmRole.STABLE if promoted else ArmRole.CANARY,
        weight=weight,
        failover=behind,
    )
    other = Arm(
        revision=contest.incumbent,
        role=ArmRole.PREVIOUS if promoted else ArmRole.STABLE,
        weight=100 - weight,
    )
    return (judged, other) if promoted else (other, judged)


def mirror_of(policy: Policy, state: State, contest: Contest) -> Mirror | None:
    """Who gets copies: a candidate in its shadow, nobody otherwise."""
    if policy.shadow is None or state.stage is not Stage.SHADOW:
        return None
    return Mirror(revision=contest.candidate, percent=max(1, round(policy.shadow.percent)))

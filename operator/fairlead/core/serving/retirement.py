"""When the pods of a replaced revision may go: no gateway sends them anything, and open connections have had time."""

from fairlead.api.model_deployment import RevisionStatus
from fairlead.core.world import ServingWorld

UNHEARD_SECONDS = 600.0
"""How long a ready gateway pod that says nothing to the operator holds a replaced revision."""
REPORT_SECONDS = 5.0
"""A report that changes brings the key back; this is for a lost one."""


def _age_seconds(world: ServingWorld, previous: RevisionStatus) -> float:
    return (world.now - previous.since).total_seconds()


def gateways_behind(world: ServingWorld, previous: RevisionStatus) -> bool:
    """Whether a gateway may still send requests to the replaced revision."""
    traffic = world.resource.status.traffic
    if traffic and any(arm.revision == previous.revision and arm.weight for arm in traffic.arms):
        return True
    wanted = traffic.generation if traffic else 0
    silent = _age_seconds(world, previous) < UNHEARD_SECONDS
    reports = [world.gateway.reports.get(pod) for pod in world.gateway.ready_pods]
    return any(silent if report is None else report.generation < wanted for report in reports)


def gateways_remember(world: ServingWorld) -> bool:
    """Whether a gateway has not heard yet what the status says, and may send requests to what it names no more: after
    the loss of a status nothing else knows of that."""
    traffic = world.resource.status.traffic
    if traffic is None:
        return False
    reports = (world.gateway.reports.get(pod) for pod in world.gateway.ready_pods)
    return any(report is not None and report.generation < traffic.generation for report in reports)


def may_retire(world: ServingWorld, previous: RevisionStatus) -> bool:
    """Whether it has had its grace, and the gateways have let go of it."""
    over = _age_seconds(world, previous) >= world.retirement_grace_seconds
    return over and not gateways_behind(world, previous)


def retirement_seconds(world: ServingWorld, previous: RevisionStatus) -> float:
    """Until the next look whether it may go."""
    left = world.retirement_grace_seconds - _age_seconds(world, previous)
    return max(left, REPORT_SECONDS if gateways_behind(world, previous) else 0.0)

"""Whether the namespace's gateway is there, and does what `status.traffic` says."""

from collections.abc import Sequence

from fairlead.api.conditions import Condition, ConditionType, condition
from fairlead.api.reasons import Reason
from fairlead.api.traffic import Traffic
from fairlead.core.findings import Finding, Symptoms, inspect
from fairlead.core.world import Report, ServingWorld


def gateway_answers(world: ServingWorld) -> bool:
    """Whether a gateway pod is ready."""
    workload = world.gateway.workload
    return workload is not None and workload.ready > 0


def _numbers(world: ServingWorld) -> str:
    workload = world.gateway.workload
    return f"{workload.ready if workload else 0} of {workload.replicas if workload else 0} gateway pods are ready"


def examine_gateway(world: ServingWorld) -> Finding | None:
    """Why no gateway pod is ready; None when one is."""
    if gateway_answers(world):
        return None
    facts = world.gateway
    if facts.refused:
        return Finding(Reason.REJECTED, f"gateway: {facts.refused}")
    pods = tuple(pod for pod in facts.pods if not pod.deleting)
    if found := inspect(Symptoms(facts.workload, pods, builtin_server=False, now=world.now)):
        return Finding(found.reason, f"gateway: {found.message}")
    return Finding(Reason.GATEWAY_NOT_READY, _numbers(world))


def programmed(world: ServingWorld, traffic: Traffic) -> Condition:
    """The condition Programmed, by what the ready gateway pods last said of this ModelDeployment."""
    kind, facts = ConditionType.PROGRAMMED, world.gateway
    if facts.conflict:
        text = f"{facts.conflict.kind} {facts.conflict.name} exists and is not the gateway's; it is left alone"
        return condition(kind, False, Reason.NAME_CONFLICT, text)
    if not gateway_answers(world):
        return condition(kind, False, Reason.GATEWAY_PENDING, _numbers(world))
    reports = [facts.reports[pod] for pod in facts.ready_pods if pod in facts.reports]
    for report in reports:
        if report.rejected_reason:
            text = f"{report.rejected_reason}: {report.rejected_message}; generation {report.generation} serves on"
            return condition(kind, False, Reason.GATEWAY_REJECTED, text)
    return _as_last_told(world, traffic) or _by_count(world, traffic, reports)


def _as_last_told(world: ServingWorld, traffic: Traffic) -> Condition | None:
    """What was said of the same traffic stands while a pod has not been asked: a new leader, or a new pod."""
    facts, old = world.gateway, world.resource.status
    if old.traffic is None or old.traffic.generation != traffic.generation:
        return None
    asked = facts.silent | facts.reports.keys()
    if all(pod in asked for pod in facts.ready_pods):
        return None
    return next((item for item in old.conditions if item.type == ConditionType.PROGRAMMED), None)


def _by_count(world: ServingWorld, traffic: Traffic, reports: Sequence[Report]) -> Condition:
    kind, ready = ConditionType.PROGRAMMED, len(world.gateway.ready_pods)
    if world.gateway.silent.issuperset(world.gateway.ready_pods):
        return condition(kind, None, Reason.GATEWAY_UNREACHABLE, "no ready gateway pod has told what it serves")
    serving = sum(report.generation >= traffic.generation for report in reports)
    text = f"{serving} of {ready} gateway pods serve generation {traffic.generation}"
    if serving < ready:
        silent = len(world.gateway.silent.intersection(world.gateway.ready_pods))
        more = f"; {silent} gave the operator no answer" if silent else ""
        return condition(kind, False, Reason.GATEWAY_PENDING, text + more)
    return condition(kind, True, Reason.PROGRAMMED, text)

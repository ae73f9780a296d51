"""From what the spec says about a rollout to the policy by which it is judged, defaults filled in."""

from fairlead.api.rollout import DEFAULT_STEPS, Canary, Checks, Guard, Shadow, Step
from fairlead.api.scalars import parse_duration, parse_latency, parse_limit, parse_percentage
from fairlead.core.evidence.policy import Mode, Need, Policy
from fairlead.core.evidence.policy import Shadow as ShadowPolicy

SLOW_SHARE_OF_P99 = 0.01
ATTEMPT_PER_LATENCY = 3.0
ATTEMPT_PER_REQUEST = 1 / 3
"""Of requestTimeout, where latency is not judged: stable still has the rest to answer in."""
LEAST_ATTEMPT_SECONDS = 1.0
NEVER_SECONDS = 1e12
"""Instead of infinity, which JSON does not know: some 30,000 years."""
DEFAULT_REQUEST_SECONDS = 60.0
"""For the evidence alone: how long an attempt that nothing cuts is taken to be under way."""


def shields_users(canary: Canary, *, builtin: bool) -> bool:
    """Whether stable answers what fails on the candidate. Requests to a user's container may have side effects."""
    return builtin if canary.failover is None else canary.failover


def attempt_seconds(canary: Canary, checks: Checks, request_timeout: str) -> float | None:
    """How long an attempt on the candidate may take before stable answers instead; None: as long as it likes."""
    if canary.attempt_timeout is not None:
        return parse_latency(canary.attempt_timeout)
    if checks.max_latency_p99 != "off":
        return max(LEAST_ATTEMPT_SECONDS, ATTEMPT_PER_LATENCY * parse_latency(checks.max_latency_p99))
    limit = parse_limit(request_timeout)
    return None if limit is None else max(LEAST_ATTEMPT_SECONDS, limit.total_seconds() * ATTEMPT_PER_REQUEST)


def _need(step: Step) -> Need:
    seconds = None if step.min_duration is None else parse_duration(step.min_duration).total_seconds()
    return Need(step.min_requests, seconds, step.approval == "manual")


def _shadow(shadow: Shadow | None) -> ShadowPolicy | None:
    if shadow is None:
        return None
    seconds = parse_duration(shadow.min_duration).total_seconds()
    holds = shadow.on_pass == "hold"  # noqa: S105 -- a word, not a secret
    return ShadowPolicy(float(shadow.percent), Need(shadow.min_requests, seconds, manual=holds))


def make_policy(
    canary: Canary | None,
    checks: Checks,
    guard: Guard,
    *,
    shadow: Shadow | None = None,
    hold_deadline: str,
    request_timeout: str,
    builtin: bool,
) -> Policy:
    """The policy of a rollout. Everything comes from a spec that the API server has validated; it has a canary, a
    shadow or both."""
    goes_in_steps = canary is not None
    canary = canary or Canary()
    steps = canary.steps or DEFAULT_STEPS
    deadline = parse_limit(hold_deadline)
    return Policy(
        steps_percent=tuple(float(step.weight) for step in steps),
        needs=tuple(_need(step) for step in steps),
        max_error_rate=parse_percentage(checks.max_error_rate),
        max_slow_rate=None if checks.max_latency_p99 == "off" else SLOW_SHARE_OF_P99,
        alpha=parse_percentage(checks.alpha),
        mode=Mode(checks.mode),
        failover=shields_users(canary, builtin=builtin),
        guard_seconds=parse_duration(guard.duration).total_seconds(),
        control_percent=float(guard.control_percent),
        hold_deadline_seconds=NEVER_SECONDS if deadline is None else deadline.total_seconds(),
        attempt_timeout_seconds=attempt_seconds(canary, checks, request_timeout) or DEFAULT_REQUEST_SECONDS,
        shadow=_shadow(shadow),
        canary=goes_in_steps,
    )

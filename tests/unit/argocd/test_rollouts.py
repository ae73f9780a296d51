"""Argo CD's health second by second through rollouts that the operator's own decisions make."""

from collections import defaultdict

from tests.argocd import health_of
from tests.unit.core.serving.story import NEW, Story, canary_body, serving

PATIENT = [{"weight": 10, "minRequests": 100_000}, {"weight": 50}]
"""A first step that no story passes."""
MANUAL = [{"weight": 10, "minRequests": 20, "minDuration": "5s", "approval": "manual"}, {"weight": 50}]


def shipped(**rollout: object) -> tuple[Story, str]:
    """A story in which a new version has just been asked for; its revision."""
    story = serving(canary_body(**rollout))
    assert health_of(story.body).status == "Healthy"
    new = story.ship(NEW)
    assert health_of(story.body).status == "Progressing", "nobody has looked at it yet"
    story.settle()
    return story, new


def watched(story: Story, seconds: int, until: str = "") -> dict[str, set[str]]:
    """Phase -> what Argo CD showed in it, looked at each second."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for _ in range(seconds):
        seen[str(story.status.phase)].add(health_of(story.body).status)
        if until and story.status.phase == until:
            return seen
        story.run(1)
    assert not until, f"{until}: not within {seconds} s, but {story.status.phase}"
    return seen


def test_a_good_version_is_progressing_through_canary_and_guard_and_healthy_when_it_is_promoted() -> None:
    story, _ = shipped()
    seen = watched(story, 120, until="Stable")
    assert seen == {"Canary": {"Progressing"}, "Guard": {"Progressing"}, "Stable": {"Healthy"}}


def test_a_bad_version_is_progressing_while_it_is_braked_and_degraded_when_it_was_taken_back() -> None:
    story, new = shipped(canary={"steps": PATIENT, "failover": True})
    story.run(5)
    story.failing[new] = 0.2
    seen = watched(story, 300, until="RolledBack")
    assert seen == {"Canary": {"Progressing"}, "Braked": {"Progressing"}, "RolledBack": {"Degraded"}}
    assert health_of(story.body).message.startswith("ErrorsAbove")


def test_a_pause_and_a_step_that_waits_for_approval_are_suspended() -> None:
    story, _ = shipped(canary={"steps": MANUAL, "failover": True})
    story.run(60, until="AwaitingApproval")
    assert health_of(story.body).status == "Suspended"
    story.edit(paused=True)
    story.run(5, until="Paused")
    assert health_of(story.body).status == "Suspended"


def test_a_rollout_that_sees_nothing_is_progressing_for_as_long_as_it_holds() -> None:
    story, _ = shipped(canary={"steps": PATIENT, "failover": True})
    story.run(5)
    story.blind = True
    story.run(30, until="Held")
    assert health_of(story.body).status == "Progressing"


def test_a_version_without_a_verdict_is_degraded() -> None:
    story, _ = shipped(canary={"steps": PATIENT, "failover": True}, holdDeadline="1m")
    story.run(5)
    story.blind = True
    story.run(120, until="Inconclusive")
    assert health_of(story.body).status == "Degraded"

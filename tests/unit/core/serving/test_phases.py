"""What may happen in which phase, and what becomes of it: a table.

Each row is a phase that a story has been brought to, each column something that happens then. A cell names the phase
after a minute of traffic, and who serves: `old`, `new`, `newer`, or two of them.
"""

from collections.abc import Callable

import pytest
from tests.unit.builders import revision_of
from tests.unit.core.serving.story import NEW, NEWER, OLD, Story, canary_body, serving

from fairlead.core.world import RolloutRules

STEPS = [{"weight": 10, "minRequests": 100_000}, {"weight": 50}]
"""A first step that a minute of traffic does not pass, so that a story stays where it is."""
MANUAL = [{"weight": 10, "minRequests": 20, "minDuration": "5s", "approval": "manual"}, {"weight": 50}]
QUICK = [{"weight": 10, "minRequests": 20, "minDuration": "5s"}]


def _begun(steps: list[dict[str, object]], until: str, **rollout: object) -> Story:
    story = serving(canary_body(canary={"steps": steps, "failover": True}, **rollout))
    story.ship(NEW)
    story.settle()
    story.run(60, until=until)
    return story


def starting() -> Story:
    story = serving(canary_body())
    story.unready.add(story.ship(NEW))
    story.settle()
    return story


def shadow() -> Story:
    copies = {"percent": 20, "minRequests": 100_000, "minDuration": "5s"}
    return _begun(STEPS, "Shadow", shadow=copies)


def braked() -> Story:
    story = _begun(STEPS, "Canary")
    new = story.status.candidate
    assert new
    story.run(5)
    story.failing[new.revision] = 0.5
    story.run(20, until="Braked")
    story.failing[new.revision] = 0.0
    return story


def held() -> Story:
    story = _begun(STEPS, "Canary")
    story.blind = True
    story.run(30, until="Held")
    return story


def paused() -> Story:
    story = _begun(STEPS, "Canary")
    story.edit(paused=True)
    story.run(5, until="Paused")
    return story


def rolled_back() -> Story:
    story = serving(canary_body(canary={"steps": STEPS, "failover": True}))
    new = story.ship(NEW)
    story.failing[new] = 1.0
    story.settle()
    story.run(60, until="RolledBack")
    return story


def inconclusive() -> Story:
    story = _begun(STEPS, "Canary", holdDeadline="30s")
    story.blind = True
    story.run(90, until="Inconclusive")
    story.blind = False
    return story


def failed() -> Story:
    story = serving(canary_body(canary={"steps": STEPS, "failover": True}))
    story.failing[revision_of(story.body)] = 1.0
    story.run(30, until="Failed")
    return story


PHASES: dict[str, Callable[[], Story]] = {
    "Stable": lambda: serving(canary_body(canary={"steps": STEPS, "failover": True})),
    "Starting": starting,
    "Shadow": shadow,
    "Canary": lambda: _begun(STEPS, "Canary"),
    "Braked": braked,
    "Held": held,
    "AwaitingApproval": lambda: _begun(MANUAL, "AwaitingApproval"),
    "Guard": lambda: _begun(QUICK, "Guard", guard={"duration": "10m"}),
    "Paused": paused,
    "RolledBack": rolled_back,
    "Inconclusive": inconclusive,
    "Failed": failed,
}


def nothing(story: Story) -> None:
    pass


def scaled(story: Story) -> None:
    story.edit(replicas=6)


def operator_lost(story: Story) -> None:
    story.restart()


def second_version(story: Story) -> None:
    story.ship(NEWER)


def resources_edited(story: Story) -> None:
    story.edit(resources={"limits": {"memory": "2Gi"}})


def alias_flaps(story: Story) -> None:
    """To the old version and back, seen at each turn."""
    wanted = story.body["spec"]["container"]["image"]
    for image in (OLD, wanted, OLD, wanted):
        story.ship(image)
        story.settle()


def frozen(story: Story) -> None:
    story.rules = RolloutRules(frozen=True)


EVENTS = (nothing, scaled, operator_lost, second_version, resources_edited, alias_flaps, frozen)

#                     nothing               scaled                operator lost         second version
#                     resources edited      alias flaps           frozen
TABLE: dict[str, tuple[str, ...]] = {
    "Stable": (
        "Stable old", "Stable old", "Stable old", "Canary old newer",
        "Canary old other", "Stable old", "Stable old",
    ),
    "Starting": (
        "Starting old", "Starting old", "Starting old", "Stable newer",
        "Stable other", "Starting old", "Held old",
    ),
    "Shadow": (
        "Shadow old", "Shadow old", "Shadow old", "Shadow old",
        "Shadow old", "Shadow old", "Held old",
    ),
    "Canary": (
        "Canary old new", "Canary old new", "Canary old new", "Canary old newer",
        "Canary old other", "Canary old new", "Held old new",
    ),
    "Braked": (
        "Braked old new", "Braked old new", "Braked old new", "Canary old newer",
        "Canary old other", "Canary old new", "Braked old new",
    ),
    "Held": (
        "Held old new", "Held old new", "Held old new", "Held old newer",
        "Held old other", "Held old new", "Held old new",
    ),
    "AwaitingApproval": (
        "AwaitingApproval old new", "AwaitingApproval old new", "AwaitingApproval old new",
        "AwaitingApproval old newer", "AwaitingApproval old other", "AwaitingApproval old new", "Held old new",
    ),
    "Guard": (
        "Guard old new", "Guard old new", "Guard old new", "Guard old new",
        "Guard old new", "Guard old new", "Held old new",
    ),
    "Paused": (
        "Paused old new", "Paused old new", "Paused old new", "Paused old new",
        "Paused old new", "Paused old", "Paused old new",
    ),
    "RolledBack": (
        "RolledBack old", "RolledBack old", "RolledBack old", "Canary old newer",
        "Canary old other", "RolledBack old", "RolledBack old",
    ),
    "Inconclusive": (  # its deadline is short: a newer version ends likewise within the minute
        "Inconclusive old", "Inconclusive old", "Inconclusive old", "Inconclusive old",
        "Inconclusive old", "Inconclusive old", "Inconclusive old",
    ),
    "Failed": (
        "Failed old", "Failed old", "Failed old", "Stable newer",
        "Stable other", "Failed old", "Failed old",
    ),
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.__name__))
@pytest.mark.parametrize("phase", PHASES)
def test_what_happens_in_a_phase_has_the_end_that_the_table_says(phase: str, event: Callable[[Story], None]) -> None:
    story = PHASES[phase]()
    assert story.status.phase == phase
    names = {}
    for image, name in ((OLD, "old"), (NEW, "new"), (NEWER, "newer")):
        body = {**story.body, "spec": {**story.body["spec"], "container": {"image": image}}}
        names[revision_of(body)] = name
    event(story)
    story.settle()
    story.run(60)
    who = [names.get(revision, "other") for revision in story.weights]
    found = f"{story.status.phase} {' '.join(sorted(who, key=['old', 'new', 'newer', 'other'].index))}"
    assert found == TABLE[phase][EVENTS.index(event)]
    assert sum(story.weights.values()) == 100


@pytest.mark.parametrize("phase", PHASES)
def test_a_resource_that_is_being_deleted_is_left_to_its_owner_references(phase: str) -> None:
    story = PHASES[phase]()
    story.body["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    before = len(story.writes)
    story.settle()
    assert len(story.writes) == before

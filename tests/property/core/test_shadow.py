"""Whatever happens while a candidate is a shadow."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.builders import revision_of
from tests.unit.core.serving.story import NEW, Story, canary_body, serving
from tests.unit.core.serving.test_shadow import SHORT, mirror

from fairlead.core.evidence.policy import Need, Policy, Shadow
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.evidence.state import Stage
from fairlead.core.rollout.decide import begin, decide

ACTIONS = st.sampled_from(["second", "bad", "good", "unready", "ready", "blind", "sees", "restart", "approve", "drop"])


@given(st.lists(ACTIONS, max_size=60), st.booleans())
def test_whatever_happens_in_a_shadow_stable_keeps_everything_and_copies_go_to_ready_pods_only(
    actions: list[str], holds: bool
) -> None:
    story = serving(canary_body(shadow={**SHORT, "minDuration": "5s", "onPass": "hold" if holds else "canary"}))
    old, new = revision_of(story.body), story.ship(NEW)
    for number, action in enumerate(actions):
        _do(story, new, action, number)
        story.run(1)
        evidence, copies = story.status.evidence, mirror(story)
        if evidence and evidence.stage == "Shadow":
            assert story.weights == {old: 100}
        if copies:
            assert evidence and evidence.stage == "Shadow" and copies == (new, 20)
            assert story.objects["Deployment", new]["status"]["readyReplicas"] > 0
        if story.status.phase == "RolledBack":
            assert story.weights == {old: 100}


def _do(story: Story, new: str, action: str, number: int) -> None:
    match action:
        case "bad" | "good":
            story.failing[new] = 0.5 if action == "bad" else 0.0
        case "unready":
            story.unready.add(new)
            if item := story.objects.get(("Deployment", new)):
                item["status"]["readyReplicas"] = 0
        case "ready":
            story.unready.discard(new)
            if ("Deployment", new) in story.objects:
                story.ready(new)
        case "blind" | "sees":
            story.blind = action == "blind"
        case "restart":
            story.restart()
        case "approve":
            story.request = f"approve@{new}#{number}"
        case "drop":
            story.dropped = 0.5 - story.dropped


LIVES, SECONDS, RATE = 30, 200, 40


def judged_badly(seed: int, *, of_inputs: float, of_its_own: float, percent: float, run: int) -> bool:
    """Whether a shadow that is no worse than stable was held or rolled back, at 40 requests/s for 200 s.

    `of_inputs`: the share of inputs that fail both, `run` of them in a row; `of_its_own`: what either fails besides.
    """
    draw = random.Random(seed)  # noqa: S311 -- no secret
    policy = Policy(shadow=Shadow(percent, Need(10**6, 1e6)))
    state, copies, requests, bad = begin(policy), [0, 0], [0, 0], False
    for second in range(SECONDS):
        for number in range(RATE):
            bad = draw.random() < of_inputs if number % run == 0 else bad
            requests = [requests[0] + 1, requests[1] + (bad or draw.random() < of_its_own)]
            if draw.random() < percent / 100:
                copies = [copies[0] + 1, copies[1] + (bad or draw.random() < of_its_own)]
        seen = Reading(
            "gw", "1", float(second), 100 * percent / (100 + percent), Counters(*copies), Counters(*requests)
        )
        state, verdict = decide(policy, state, Sample(1000.0 + second, (seen,)))
        if state.stage is Stage.ENDED or verdict.fast >= verdict.brake_at:
            return True
    return False


@pytest.mark.parametrize(
    ("of_inputs", "of_its_own", "percent", "run"),
    [(0.01, 0.005, 20.0, 1), (0.3, 0.0, 20.0, 1), (0.05, 0.0, 20.0, 5), (0.05, 0.0, 100.0, 5)],
)
def test_inputs_that_no_version_can_answer_are_not_held_against_a_shadow(
    of_inputs: float, of_its_own: float, percent: float, run: int
) -> None:
    lives = [
        judged_badly(seed, of_inputs=of_inputs, of_its_own=of_its_own, percent=percent, run=run)
        for seed in range(LIVES)
    ]
    assert not any(lives)

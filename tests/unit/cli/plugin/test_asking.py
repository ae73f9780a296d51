"""Requests: what is written, what is told, and how it ends."""

import httpx
import pytest
from tests.unit.cli.plugin.fake_api import PATH, FakeApi
from tests.unit.cli.plugin.statuses import NEW, OLD, ended, evidence, rolled_back, rolling, slot, status

from fairlead.api.request import Verb
from fairlead.cli.plugin import asking

GUARD = {**status("Guard"), "stable": slot(NEW, "7"), "previous": slot(OLD, "6"), "evidence": evidence(stage="Guard")}


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb not in (Verb.RETRY, Verb.REFRESH)])
def test_each_verb_of_a_rollout_writes_its_annotation_and_nothing_else(verb: Verb) -> None:
    api = FakeApi([rolling()] * 3, says=(True, "so be it"))
    done = api.run(verb, "churn")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f"{verb} {NEW} (candidate, version 7) of churn in team", "accepted: so be it"]
    (written,) = api.written
    assert written == {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {
            "name": "churn",
            "namespace": "team",
            "uid": api.body["metadata"]["uid"],
            "annotations": {"fairlead.dev/request": f"{verb}@{NEW}#k3x9"},
        },
    }
    (request,) = (item for item in api.requests if item.method == "PATCH")
    assert request.url.path == f"{PATH}/churn"
    assert dict(request.url.params) == {"fieldManager": "fairlead-cli", "force": "true"}
    assert request.headers["content-type"] == "application/apply-patch+yaml"
    assert request.headers["user-agent"] == "kubectl-fairlead"


@pytest.mark.parametrize(
    ("verb", "state", "bound"),
    [
        ("promote", GUARD, f"promote {NEW} (stable, in its guard, version 7)"),
        ("retry", rolled_back(), f"retry {NEW} (quarantined, version 7)"),
        ("refresh", rolling(), f"refresh {OLD} (stable, version 6)"),
    ],
)
def test_the_revision_is_shown_before_it_is_sent(verb: str, state: dict[str, object], bound: str) -> None:
    done = FakeApi([state] * 3, says=(True, "")).run(verb, "churn")
    assert done.stdout.startswith(bound)


def test_a_refusal_ends_with_1_and_the_operator_s_words() -> None:
    done = FakeApi([rolling()] * 3, says=(False, "the step waits for nobody")).run("approve", "churn")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "refused: the step waits for nobody")


def test_no_answer_ends_with_3() -> None:
    done = FakeApi([rolling()], hangs=True).run("pause", "churn", "--timeout", "1s")
    assert done.exit_code == 3
    assert "no answer from the operator within 1s" in done.stderr


@pytest.mark.parametrize(
    ("state", "arguments", "code"),
    [
        (status(), ("promote", "churn"), 1),
        (status(), ("retry", "churn"), 1),
        (rolling(), ("abort", "churn", "--revision", "churn-00000000"), 1),
        (rolled_back(history=[ended("Aborted", "churn-77777777", "8")]), ("retry", "churn"), 2),
        (rolling(), ("promote", "other"), 4),
    ],
)
def test_what_cannot_be_bound_is_never_sent(state: dict[str, object], arguments: tuple[str, ...], code: int) -> None:
    api = FakeApi([state])
    done = api.run(*arguments)
    assert (done.exit_code, api.written) == (code, []), done.output


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_somebody_at_a_terminal_is_asked_once_more_before_a_drastic_one(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "at_a_terminal", lambda: True)
    api = FakeApi([rolling()] * 3, says=(True, ""))
    done = api.run(verb, "churn", input="n\n")
    assert (done.exit_code, api.written) == (1, [])
    assert f"{verb} it, whatever the evidence?" in done.output
    assert api.run(verb, "churn", input="y\n").exit_code == 0
    assert FakeApi([rolling()] * 3, says=(True, "")).run(verb, "churn", "--yes").exit_code == 0


def test_nobody_is_asked_before_a_verb_that_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "at_a_terminal", lambda: True)
    assert FakeApi([rolling()] * 3, says=(True, "")).run("pause", "churn").exit_code == 0


def test_a_resource_that_goes_and_a_request_that_is_overtaken_end_the_waiting() -> None:
    done = FakeApi([rolling()]).run("pause", "churn")
    assert (done.exit_code, "deleted before the operator answered" in done.stderr) == (1, True)
    api = FakeApi([rolling()] * 5)

    def overtaken(request: httpx.Request) -> httpx.Response | None:
        if "watch" in request.url.params:
            api.annotations = {"fairlead.dev/request": f"abort@{NEW}#other"}
        return None

    api.other = overtaken
    done = api.run("pause", "churn")
    assert done.exit_code == 1
    assert f"another request took this one's place: abort@{NEW}#other" in done.stderr


def test_the_answer_to_an_earlier_request_is_not_taken_for_this_one_s() -> None:
    asked = {"verb": "pause", "revision": NEW, "nonce": "earlier", "at": "2026-05-04T11:00:00Z", "accepted": True}
    done = FakeApi([rolling(lastRequest=asked)], hangs=True).run("pause", "churn", "--timeout", "1s")
    assert (done.exit_code, "accepted" in done.stdout) == (3, False)

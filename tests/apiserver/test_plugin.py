"""kubectl fairlead against a real API server. The statuses are written by hand, as the operator would."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apiserver.client import Kubectl
from tests.apiserver.objects import Objects
from tests.apiserver.plugin_process import Plugin, asked, ended
from tests.apiserver.test_chart import template
from tests.cluster import ControlPlane
from tests.cluster.binaries import binary
from tests.unit.cli.plugin.statuses import NEW, NOW, OLD, evidence, rolled_back, rolling, status
from tests.unit.cli.plugin.statuses import ended as finished

from fairlead.api.request import parse_request
from fairlead.cli.plugin.rights import Right, needed_rights

MANIFEST: dict[str, Any] = {
    "apiVersion": "fairlead.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "churn", "annotations": {"team": "growth"}},
    "spec": {"model": {"name": "churn", "alias": "candidate"}, "rollout": {"canary": {}}},
}


@pytest.fixture
def plugin(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Plugin:
    """The plugin, as cluster admin."""
    return Plugin.install(tmp_path, control_plane.kubeconfig, namespace)


@pytest.fixture
def outsider(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Plugin:
    """The plugin, as somebody without any right."""
    masters = control_plane.masters
    pair = masters.authority.issue("outsider", "/O=nobody/CN=outsider")
    return Plugin.install(tmp_path, masters.kubeconfig("outsider", pair), namespace)


def gitops_apply(kubectl: Kubectl, *more: str) -> str:
    """What a GitOps controller does again and again: server-side apply of the user's manifest, conflicts refused."""
    return kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", *more, input=json.dumps(MANIFEST))


def write(objects: Objects, body: dict[str, Any]) -> None:
    """The status, as the operator writes it: every field anew."""
    objects.merge("ModelDeployment", "churn", {"status": {**dict.fromkeys(body_fields(), None), **body}}, "status")


def body_fields() -> tuple[str, ...]:
    """What one status may have and the next one has not."""
    return ("candidate", "previous", "evidence", "history", "quarantine", "lastRequest")


@pytest.fixture
def churn(kubectl: Kubectl, objects: Objects) -> Objects:
    """A ModelDeployment from a GitOps controller, with a canary on."""
    gitops_apply(kubectl)
    write(objects, rolling())
    return objects


def answered(objects: Objects, request: str, *, accepted: bool, message: str) -> None:
    """The operator's answer to a request."""
    parsed = parse_request(request)
    said = {"verb": parsed.verb, "revision": parsed.revision, "nonce": parsed.nonce, "at": NOW}
    last = {**said, "accepted": accepted, "message": message}
    objects.merge("ModelDeployment", "churn", {"status": {"lastRequest": last}}, "status")


@pytest.mark.usefixtures("churn")
def test_kubectl_finds_the_plugin_on_path(plugin: Plugin) -> None:
    listed = subprocess.run(
        [binary("kubectl"), "plugin", "list"], env=plugin.environment(), capture_output=True, text=True, check=False
    )
    assert str(plugin.folder / "kubectl-fairlead") in listed.stdout
    code, out, err = plugin.run("status")
    assert (code, err) == (0, "")
    assert "md/churn" in out


@pytest.mark.usefixtures("churn")
def test_a_status_is_told_in_plain_words_and_as_json(plugin: Plugin) -> None:
    code, out, err = plugin.run("status", "churn")
    assert (code, err) == (0, "")
    for words in (
        f"churn in {plugin.namespace}: Canary, the candidate gets a growing share",
        f"Serves     {OLD} (version 6)",
        "Traffic    [=======================#]",
        "112 of 150, 1 failure",
        "3.16, brakes at 100",
        "Waits for  38 candidate requests more, about 12m at today's rate",
    ):
        assert words in out
    assert "\x1b" not in out and out.isascii()
    code, out, _ = plugin.run("status", "md/churn", "-o", "json")
    document = json.loads(out)
    assert (code, document["waitsFor"], document["etaSeconds"]) == (
        0,
        "38 candidate requests more, about 12m at today's rate",
        720,
    )
    assert document["status"]["evidence"]["brakeAt"] == 100


def test_a_request_is_an_annotation_that_the_cli_alone_owns_and_nothing_else_changes(
    plugin: Plugin, churn: Objects
) -> None:
    before = churn.get("ModelDeployment", "churn")
    process = plugin.start("promote", "churn", "--yes")
    request = asked(churn, "churn")
    after = churn.get("ModelDeployment", "churn")
    answered(churn, request, accepted=True, message="promoted")
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"promote {NEW} (candidate, version 7) of churn in {plugin.namespace}",
        "accepted: promoted",
    ]
    assert request.startswith(f"promote@{NEW}#")
    owners = {
        entry["manager"]: entry
        for entry in after["metadata"]["managedFields"]
        if "f:fairlead.dev/request" in json.dumps(entry["fieldsV1"])
    }
    assert list(owners) == ["fairlead-cli"]
    owned = owners["fairlead-cli"]
    assert owned["operation"] == "Apply"
    assert owned["fieldsV1"] == {"f:metadata": {"f:annotations": {"f:fairlead.dev/request": {}}}}
    assert after["metadata"]["annotations"].pop("fairlead.dev/request") == request
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    for body in (before, after):
        for name in ("managedFields", "resourceVersion"):
            body["metadata"].pop(name)
    assert after == before


def test_a_gitops_controller_sees_no_drift_no_conflict_and_leaves_the_request(
    plugin: Plugin, churn: Objects, kubectl: Kubectl
) -> None:
    process = plugin.start("pause", "churn")
    request = asked(churn, "churn")
    assert kubectl("diff", "--server-side", "--field-manager=gitops", "-f", "-", input=json.dumps(MANIFEST)) == ""
    version = churn.get("ModelDeployment", "churn")["metadata"]["resourceVersion"]
    gitops_apply(kubectl)
    found = churn.get("ModelDeployment", "churn")["metadata"]
    assert (found["resourceVersion"], found["annotations"]["fairlead.dev/request"]) == (version, request)
    assert kubectl("apply", "-f", "-", input=json.dumps(MANIFEST)).endswith("configured\n")  # the client-side way
    assert churn.get("ModelDeployment", "churn")["metadata"]["annotations"]["fairlead.dev/request"] == request
    answered(churn, request, accepted=True, message="paused")
    assert ended(process)[0] == 0


def test_a_refused_request_ends_with_1_and_the_operator_s_words(plugin: Plugin, churn: Objects) -> None:
    process = plugin.start("approve", "churn")
    answered(churn, asked(churn, "churn"), accepted=False, message="the step waits for nobody's approval")
    code, out, _ = ended(process)
    assert (code, out.splitlines()[-1]) == (1, "refused: the step waits for nobody's approval")


def test_a_request_that_nobody_answers_times_out_with_3_and_stays(plugin: Plugin, churn: Objects) -> None:
    code, _, err = plugin.run("resume", "churn", "--timeout", "1s")
    assert code == 3
    assert "no answer from the operator within 1s" in err
    assert asked(churn, "churn").startswith(f"resume@{NEW}#")


def test_the_next_request_replaces_the_one_before(plugin: Plugin, churn: Objects) -> None:
    for verb in ("pause", "resume"):
        assert plugin.run(verb, "churn", "--timeout", "1s")[0] == 3
    assert asked(churn, "churn").startswith("resume@")


def test_retry_names_the_quarantined_revision(plugin: Plugin, churn: Objects) -> None:
    write(churn, rolled_back())
    process = plugin.start("retry", "churn")
    answered(churn, asked(churn, "churn"), accepted=True, message="tried again")
    code, out, _ = ended(process)
    assert (code, out.splitlines()[0]) == (
        0,
        f"retry {NEW} (quarantined, version 7) of churn in {plugin.namespace}",
    )


def test_waiting_ends_with_0_when_the_version_is_stable_and_not_before(plugin: Plugin, churn: Objects) -> None:
    write(churn, status())  # version 6 serves and is rolled out; nobody has seen version 7 yet
    process = plugin.start("status", "churn", "--wait", "--version", "7", "--timeout", "50s")
    assert process.stdout is not None
    assert "version 7 is not asked for yet" in process.stdout.readline()
    write(churn, rolling())
    assert "requests=112/150" in process.stdout.readline()
    write(churn, {**status(), "stable": {**status()["stable"], "revision": NEW, "modelVersion": "7"}})
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"version 7 is stable (revision {NEW})"


@pytest.mark.parametrize(
    ("outcome", "phase"), [("RolledBack", "RolledBack"), ("Inconclusive", "Inconclusive"), ("Aborted", "RolledBack")]
)
def test_waiting_ends_with_1_when_the_version_has_failed(
    plugin: Plugin, churn: Objects, outcome: str, phase: str
) -> None:
    process = plugin.start("status", "churn", "--wait", "--version", "7", "--timeout", "50s")
    assert process.stdout is not None
    assert "requests=112/150" in process.stdout.readline()
    write(churn, {**rolled_back(), "phase": phase, "history": [finished(outcome)]})
    code, _, err = ended(process)
    assert code == 1
    assert f"{outcome}, " in err and "12 of 60 requests failed" in err


def test_waiting_never_believes_a_status_that_has_not_seen_the_spec(
    plugin: Plugin, churn: Objects, kubectl: Kubectl
) -> None:
    write(churn, status())
    assert plugin.run("status", "churn", "--wait", "--timeout", "20s")[0] == 0
    kubectl("patch", "md", "churn", "--type=merge", "-p", '{"spec": {"replicas": 3}}')
    code, _, err = plugin.run("status", "churn", "--wait", "--version", "6", "--timeout", "2s")
    assert code == 3
    assert "the operator has not seen generation 2 of the spec yet" in err


def test_a_watch_that_is_piped_prints_one_line_for_each_change(plugin: Plugin, churn: Objects) -> None:
    process = plugin.start("status", "churn", "--watch")
    assert process.stdout is not None
    assert "requests=112/150" in process.stdout.readline()
    write(churn, rolling(evidence=evidence(updated="2026-05-04T12:00:02Z")))  # nothing that the line tells
    write(churn, rolling(evidence=evidence(requests=140)))
    assert "requests=140/150" in process.stdout.readline()
    churn.delete("ModelDeployment", "churn")
    code, out, err = ended(process)
    assert (code, out) == (1, "")
    assert "churn was deleted" in err


@pytest.mark.usefixtures("churn")
@pytest.mark.parametrize("command", [("status",), ("status", "churn"), ("promote", "churn", "--yes")])
def test_somebody_without_rights_is_told_which_one_is_missing(outsider: Plugin, command: tuple[str, ...]) -> None:
    code, out, err = outsider.run(*command)
    assert (code, out) == (4, "")
    verb = "list" if command == ("status",) else "get"
    assert f'User "outsider" cannot {verb} resource "modeldeployments" in API group "fairlead.dev"' in err
    assert "docs/cli.md lists the rights" in err
    assert "Traceback" not in err


@pytest.fixture
def viewer(outsider: Plugin, churn: Objects, kubectl: Kubectl) -> Plugin:
    """The same, with the right to get, and nothing else."""
    kubectl("create", "role", "looks", "--verb=get", "--resource=modeldeployments.fairlead.dev")
    kubectl("create", "rolebinding", "looks", "--role=looks", "--user=outsider")
    return outsider


def test_somebody_who_may_only_look_cannot_ask(viewer: Plugin, churn: Objects) -> None:
    code, out, err = viewer.run("abort", "churn", "--yes")
    assert code == 4
    assert out.startswith(f"abort {NEW}")
    assert 'cannot patch resource "modeldeployments"' in err
    assert "fairlead.dev/request" not in churn.get("ModelDeployment", "churn")["metadata"]["annotations"]


def test_somebody_who_may_not_watch_waits_all_the_same(viewer: Plugin, churn: Objects) -> None:
    process = viewer.start("status", "churn", "--wait", "--timeout", "50s")
    assert process.stdout is not None
    assert "requests=112/150" in process.stdout.readline()
    write(churn, status())
    code, out, _ = ended(process)
    assert (code, out.splitlines()[-1]) == (0, f"revision {OLD} is stable")


def test_a_name_that_is_not_there_is_told_with_where_it_was_sought(plugin: Plugin) -> None:
    code, _, err = plugin.run("status", "nothing")
    assert code == 4
    assert f"expected a ModelDeployment or TrainingJob 'nothing' in namespace '{plugin.namespace}', got none" in err


@pytest.fixture
def installed(control_plane: ControlPlane, namespace: str, kubectl: Kubectl) -> Iterator[None]:
    """The chart's RBAC, its operator's Deployment and a Lease that somebody has just renewed."""
    chart = template("fairlead", namespace, "--set", f"watchNamespaces={{{namespace}}}", "--set", "crds.install=false")
    kept = [
        item
        for item in yaml.safe_load_all(chart)
        if item and item["kind"] in ("Role", "RoleBinding", "ServiceAccount", "Deployment", "ConfigMap")
    ]
    kubectl("apply", "-f", "-", input=yaml.safe_dump_all(kept))
    yield
    kubectl("delete", "-f", "-", "--ignore-not-found", input=yaml.safe_dump_all(kept))


@pytest.mark.usefixtures("installed")
def test_the_doctor_says_what_is_well_what_is_not_and_what_to_do(
    plugin: Plugin, churn: Objects, kubectl: Kubectl
) -> None:
    write(churn, rolled_back())
    code, out, err = plugin.run("doctor", "--operator-namespace", plugin.namespace)
    assert (code, err) == (1, "")
    told = {line.partition(": ")[0]: line for line in out.splitlines() if line.startswith("[")}
    assert "[ok] API server" in told
    assert "[ok] CRD modeldeployments" in told and "[ok] CRD trainingjobs" in told
    assert "0 of 1 pods ready" in told["[FAIL] operator"]
    assert told["[FAIL] Lease fairlead"].endswith("not there")
    rights = sum(1 for _ in needed_rights())
    assert told["[ok] operator's rights"].endswith(f"has all {rights} that it needs here")
    kubectl("delete", "role", "fairlead")
    _, out, _ = plugin.run("doctor", "--operator-namespace", plugin.namespace)
    assert "[FAIL] operator's rights: fairlead in" in out
    assert "may not get modeldeployments.fairlead.dev" in out


@pytest.mark.usefixtures("churn")
def test_the_doctor_says_when_it_may_not_look(outsider: Plugin) -> None:
    code, out, err = outsider.run("doctor")
    assert (code, err) == (0, "")
    assert "[ok] API server" in out
    assert "[?] CRD modeldeployments: could not look: you may not look" in out
    assert "[?] Lease fairlead: could not look" in out


def test_the_rights_that_the_doctor_asks_for_are_those_that_the_chart_grants() -> None:
    chart = template("fairlead", "team", "--set", "watchNamespaces={team}")
    roles = [item for item in yaml.safe_load_all(chart) if item and item["kind"] == "Role"]
    (role,) = (item for item in roles if item["metadata"]["name"] == "fairlead")
    granted = {
        Right(group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert set(needed_rights()) == granted

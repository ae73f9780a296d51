"""The doctor's checks: each takes what was found and says whether it is well, and if not, what to do."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from fairlead import __version__
from fairlead.api.conditions import Condition, ConditionStatus, ConditionType
from fairlead.api.crd import Kind, render_crd
from fairlead.api.names import VERSION
from fairlead.api.observed import parse_time
from fairlead.api.resource import ModelDeployment
from fairlead.cli.plugin.bars import Glyphs
from fairlead.cli.plugin.expecting import find_condition
from fairlead.cli.plugin.figures import count_of, spell_duration
from fairlead.cli.plugin.rights import Right
from fairlead.cli.plugin.schema import first_difference
from fairlead.cli.plugin.words import explain

_UP = re.compile(r'^fairlead_dependency_up\{dependency="(\w+)"\} ([0-9.]+)$', re.MULTILINE)
_CONFIGURED = {
    "mlflow": "set the chart's value registry.url",
    "prometheus": "nothing, or set the chart's value prometheus.url",
}
_SKEW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor. `passed` None: it could not be looked at. `do` is empty when nothing is to be done."""

    what: str
    passed: bool | None
    says: str
    do: str = ""

    def lines(self, glyphs: Glyphs) -> list[Text]:
        """A tick, a cross or a question mark in front."""
        sign, style = {
            True: (glyphs.good, "green"),
            False: (glyphs.bad, "red"),
            None: (glyphs.unknown, "yellow"),
        }[self.passed]
        head = Text.assemble((f"{sign} ", style), (self.what, "bold"), f": {self.says}")
        return [head, Text(f"    {self.do}")] if self.do else [head]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered. `code` 0: nothing. `at` is its own time, so that clocks need not agree."""

    code: int
    body: Mapping[str, Any]
    text: str = ""
    at: datetime | None = None

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """Of a list."""
        return self.body.get("items") or ()


def unseen(what: str, answer: Answer) -> Check:
    """The API server did not let us look, or did not answer."""
    why = "you may not look" if answer.code in (401, 403) else f"the API server answered {answer.code}"
    return Check(what, None, f"could not look: {why}", answer.text)


def check_api(server: str, answer: Answer) -> Check:
    """The API server answers at all."""
    if answer.code == 200:
        return Check(
            "API server", True, f"{server} is Kubernetes {answer.body.get('gitVersion', 'of unknown version')}"
        )
    says = answer.text or f"it answered {answer.code}"
    return Check("API server", False, f"{server}: {says}", "Look at the kubeconfig and its context, and at your login.")


def check_crd(kind: Kind, answer: Answer) -> Check:
    """The CRD is there, served, and has the schema of this plugin's version."""
    what = f"CRD {kind.plural}"
    apply = f"Apply the CRDs of version {__version__} (`kubectl apply -f crds/`, or `helm upgrade`), or use its CLI."
    if answer.code == 404:
        return Check(what, False, "not installed", apply)
    if answer.code != 200:
        return unseen(what, answer)
    versions = {item["name"]: item for item in answer.body["spec"]["versions"]}
    found = versions.get(VERSION)
    if found is None or not found.get("served"):
        return Check(what, False, f"expected {VERSION} to be served, got {', '.join(versions)}", apply)
    wanted = render_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    if path := first_difference(wanted, found["schema"]["openAPIV3Schema"]):
        return Check(what, False, f"its schema is another than that of version {__version__}, at {path}", apply)
    return Check(what, True, f"installed, with the schema of version {__version__}")


def check_operator(namespace: str, answer: Answer) -> Check:
    """The operator's Deployment has its pods."""
    what = "operator"
    if answer.code != 200:
        return unseen(what, answer)
    if not answer.items:
        place = f"namespace {namespace}" if namespace else "any namespace"
        return Check(what, False, f"no Deployment of it in {place}", "Install it, or name its --operator-namespace.")
    found = answer.items[0]
    wanted, ready = found["spec"].get("replicas", 1), (found.get("status") or {}).get("readyReplicas", 0)
    where = f"Deployment {found['metadata']['name']} in {found['metadata']['namespace']}"
    if ready >= wanted:
        return Check(what, True, f"{where}: {count_of(ready, 'ready pod')}")
    do = f"kubectl -n {found['metadata']['namespace']} describe deployment,pods -l app.kubernetes.io/name=fairlead"
    return Check(what, False, f"{where}: {ready} of {wanted} pods ready", do)


def check_lease(name: str, answer: Answer) -> Check:
    """Somebody leads, and has said so of late."""
    what = f"Lease {name}"
    do = "Nobody acts on resources. Look at the operator's log; with another lease.name in the chart, use --lease."
    if answer.code == 404:
        return Check(what, False, "not there", do)
    if answer.code != 200:
        return unseen(what, answer)
    spec = answer.body.get("spec") or {}
    holder, renewed = spec.get("holderIdentity") or "", parse_time(spec.get("renewTime"))
    if not holder or renewed is None:
        return Check(what, False, "held by nobody", do)
    age = (answer.at - renewed).total_seconds() if answer.at else 0.0
    if age > float(spec.get("leaseDurationSeconds") or 0) + _SKEW_SECONDS:
        return Check(what, False, f"{holder} has not renewed it for {spell_duration(age)}", do)
    return Check(what, True, f"held by {holder}, renewed {spell_duration(age)} ago")


def check_rights(account: str, answers: Sequence[tuple[Right, Answer]]) -> Check:
    """The operator may do what it needs, as far as somebody may ask that."""
    what = "operator's rights"
    refused = next((answer for _, answer in answers if answer.code not in (200, 201)), None)
    if refused:
        return unseen(what, refused)
    missing = [str(right) for right, answer in answers if not (answer.body.get("status") or {}).get("allowed")]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        do = "Install the chart's RBAC again (`helm upgrade`); does watchNamespaces name this namespace?"
        return Check(what, False, f"{account} may not {', '.join(missing[:5])}{more}", do)
    return Check(what, True, f"{account} has all {len(answers)} that it needs here")


def check_gateway(resource: ModelDeployment) -> Check:
    """The gateways serve the generation of `status.traffic`."""
    what = f"gateway of md/{resource.meta.name}"
    traffic = resource.status.traffic
    if traffic is None:
        return Check(what, None, "no traffic is written yet", "")
    found = find_condition(resource.status, ConditionType.PROGRAMMED)
    says = f"generation {traffic.generation} of its traffic"
    if found and found.status is ConditionStatus.TRUE:
        return Check(what, True, f"{says}: {found.message or 'served by every ready pod'}")
    return _of_condition(what, found, says)


def check_model(resource: ModelDeployment) -> Check | None:
    """The registry knows the model. None when no registered model is asked for."""
    if resource.spec.model is None:
        return None
    what = f"model of md/{resource.meta.name}"
    found = find_condition(resource.status, ConditionType.MODEL_RESOLVED)
    if found and found.status is ConditionStatus.TRUE:
        return Check(what, True, found.message or "known to the registry")
    return _of_condition(what, found, f"{resource.spec.model.name} in the registry")


def _of_condition(what: str, found: Condition | None, says: str) -> Check:
    if found is None:
        return Check(what, None, f"{says}: the operator has not said anything of it yet")
    told = explain(found.reason)
    text = f"{says}: {found.reason}: {found.message or told.meaning}"
    return Check(what, None if found.status is ConditionStatus.UNKNOWN else False, text, told.action)


def check_dependencies(answer: Answer) -> list[Check]:
    """MLflow and Prometheus, as the leading operator sees them."""
    if answer.code != 200:
        return [unseen(f"{name}, as the operator sees it", answer) for name in _CONFIGURED]
    up = {name: float(value) for name, value in _UP.findall(answer.text)}
    checks = []
    for name, do in _CONFIGURED.items():
        what = f"{name}, as the operator sees it"
        if name not in up:
            checks.append(Check(what, None, "not configured, or not asked yet", f"To configure it: {do}."))
        elif up[name]:
            checks.append(Check(what, True, "answers"))
        else:
            log = "The operator's log says why (`dependency does not answer`)"
            hint = "; with 403, MLflow's --allowed-hosts lacks the host of registry.url" if name == "mlflow" else ""
            checks.append(Check(what, False, "does not answer", f"{log}{hint}."))
    return checks

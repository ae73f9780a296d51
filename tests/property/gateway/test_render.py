"""Whatever a status holds, it arrives in Envoy's files as it was, and nowhere else."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import Deployment, render
from fairlead_gateway.traffic import InvalidTraffic, Traffic, parse_traffic

labels = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
tokens = st.text(st.sampled_from("abcXYZ019!#$%&'*+-.^_`|~"), min_size=1, max_size=20)
pieces = [*"\"'\\{}[]%:,$`<>#&|;/ ü☃", "%REQ(x)%", '"}]}', "\\n", "${x}", "{{x}}"]
hostile = st.lists(st.sampled_from(pieces), max_size=12).map("".join)
values = (hostile | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)).map(
    lambda text: text.strip(" ")
)
durations = st.sampled_from(["off", "", "1s", "250ms", "1h1m1s", "90s"])


@st.composite
def statuses(draw: st.DrawFn) -> dict[str, Any]:
    """A valid `status.traffic`, with names, values and texts of every kind."""
    revisions = draw(st.lists(labels, min_size=0, max_size=3, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=max(0, len(revisions) - 1), max_size=len(revisions))))
    bounds = [0, *cuts[: len(revisions) - 1], 100]
    arms = [
        {
            "revision": revision,
            "role": "stable" if index == 0 else draw(st.sampled_from(["canary", "previous"])),
            "weight": bounds[index + 1] - bounds[index],
            "failover": draw(st.sampled_from(["", *(other for other in revisions if other != revision)])),
        }
        for index, revision in enumerate(revisions)
    ]
    header = st.fixed_dictionaries({"name": tokens, "value": values})
    rule = st.fixed_dictionaries(
        {"revision": st.sampled_from(revisions or ["x"]), "headers": st.lists(header, min_size=1, max_size=3)}
    )
    status = {
        "schema": 1,
        "epoch": draw(st.integers(0, 9)),
        "generation": draw(st.integers(0, 9)),
        "port": draw(st.integers(10000, 10999)),
        "protocol": draw(st.sampled_from(["http", "grpc"])),
        "arms": arms,
        "match": draw(st.lists(rule, max_size=3)) if arms else [],
        "attemptTimeout": draw(durations),
        "requestTimeout": draw(durations),
        "unavailableReason": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | hostile),
    }
    if draw(st.booleans()):
        status["mirror"] = {"revision": draw(labels), "percent": draw(st.integers(1, 100))}
    return status


def parsed(status: dict[str, Any]) -> Traffic:
    return parse_traffic({"status": {"traffic": status}})


def everywhere(traffic: Traffic) -> dict[str, tuple[Endpoint, ...]]:
    """A pod for each revision."""
    return {arm.revision: (Endpoint("10.0.0.1", 1),) for arm in traffic.arms}


def hosts(files: Any) -> dict[str, Any]:
    (table,) = json.loads(files.routes.text)["resources"]
    return {host["name"]: host for host in table["virtual_hosts"]}


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def shares(host: Any) -> dict[str, int]:
    """Revision -> its share, read back from the routes."""
    found: dict[str, int] = {}
    below = 0
    for route in host["routes"]:
        if "route" in route and "headers" not in route["match"]:
            fraction = route["match"].get("runtime_fraction")
            bound = fraction["default_value"]["numerator"] if fraction else 100
            found[route["name"].split("|")[1]] = bound - below
            below = bound
    return found


@given(statuses())
def test_weights_rules_and_reasons_are_read_back_as_they_were_written(status: dict[str, Any]) -> None:
    traffic = parsed(status)
    host = hosts(render([Deployment("churn", traffic, everywhere(traffic))], "/run/x"))["churn"]
    if not traffic.arms:
        (route,) = host["routes"]
        message = json.loads(route["direct_response"]["body"]["inline_string"])["message"]
        assert message == (status["unavailableReason"] or message)
        return
    assert {revision: share for revision, share in shares(host).items() if share} == {
        arm.revision: arm.weight for arm in traffic.arms if arm.weight
    }
    rules = [
        (
            route["name"].split("|")[1],
            [(header["name"], header["string_match"]["exact"]) for header in route["match"]["headers"]],
        )
        for route in host["routes"]
        if "headers" in route["match"]
    ]
    assert rules == [
        (rule["revision"], [(header["name"], header["value"]) for header in rule["headers"]])
        for rule in status["match"]
    ]


@given(statuses(), statuses())
def test_one_modeldeployment_changes_nothing_of_another_s(first: dict[str, Any], second: dict[str, Any]) -> None:
    one, two = parsed(first), parsed({**second, "port": 10000 + (first["port"] - 9999) % 1000})
    alone = render([Deployment("one", one, everywhere(one))], "/run/x")
    both = render([Deployment("one", one, everywhere(one)), Deployment("two", two, everywhere(two))], "/run/x")
    assert hosts(both)["one"] == hosts(alone)["one"]
    assert set(hosts(both)) == {"one", "two"}
    for name, text in alone.clusters_by_name.items():
        assert both.clusters_by_name[name] == text
    assert all(name.split("|")[0] in ("one", "two") for name in both.clusters_by_name)
    assert {path: both.endpoints[path] for path in alone.endpoints} == alone.endpoints


@given(statuses())
def test_no_text_of_the_user_s_becomes_a_name_of_envoy_s_or_a_path(status: dict[str, Any]) -> None:
    mark = "zq" + "x" * 9
    marked = {**status, "unavailableReason": mark}
    marked["match"] = [
        {**rule, "headers": [{**header, "value": mark} for header in rule["headers"]]} for rule in status["match"]
    ]
    traffic = parsed(marked)
    files = render([Deployment("churn", traffic, everywhere(traffic))], "/run/x")
    assert mark not in files.clusters.text + files.listeners.text + "".join(files.endpoints)
    for text in texts(hosts(files)["churn"]):
        assert mark not in text or text == mark or json.loads(text)["message"] == mark


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=10,
)


@given(statuses(), st.data())
def test_a_corrupt_status_is_refused_in_one_way_only(status: dict[str, Any], data: st.DataObject) -> None:
    corrupt = dict(status)
    for name in data.draw(st.lists(st.sampled_from(sorted(status)), min_size=1, max_size=3)):
        corrupt[name] = data.draw(json_values)
    try:
        traffic = parsed(corrupt)
    except InvalidTraffic as refusal:
        assert refusal.field.startswith("status.traffic")
        assert refusal.message.isprintable() and len(refusal.message) <= 300
    else:
        render([Deployment("churn", traffic, everywhere(traffic))], "/run/x")


@given(json_values)
def test_anything_at_all_is_refused_in_one_way_only(body: Any) -> None:
    try:
        parse_traffic({"status": {"traffic": body}})
    except InvalidTraffic:
        return
    raise AssertionError("expected a refusal, got traffic")

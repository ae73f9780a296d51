"""Goes through a rollout again: `python -m fairlead replay FILE`.

FILE holds one JSON object per line: records {policy, state, sample, orders, verdict}, each of which is one decision
and is checked bit for bit (`probation: true`: of a version that has nothing beside it); or a sample log, {policy} first
and then {sample} after {sample}. `--set alpha=0.001` asks what another policy would have made of the same samples.
(Their traffic is what it was: a weight that the other policy would have written has no say in it.)
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from fairlead.cli.whatif import parse_setting, policy_with
from fairlead.core.evidence.policy import InvalidPolicy, Policy
from fairlead.core.evidence.record import InvalidRecord, as_json, from_json
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import State
from fairlead.core.rollout.checks import Action, Judgement
from fairlead.core.rollout.decide import Verdict, begin, decide
from fairlead.core.rollout.orders import NO_ORDERS, Orders
from fairlead.core.rollout.trial import begin_alone, decide_alone

_PARTS = ("policy", "state", "sample", "orders", "verdict", "probation")
_HEAD = (
    "    second  weight stage    verdict  action       reason                fast (brake at)     sure (roll back at)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file; what it does not hold is None."""

    number: int
    policy: Policy | None
    state: State | None
    sample: Sample | None
    orders: Orders
    verdict: Verdict | None
    probation: bool


def parse_lines(lines: Sequence[str]) -> Iterator[Line]:
    """The lines of a file.

    Raises:
        InvalidRecord: a line is none; the message names it.
        InvalidPolicy: a policy is out of range.
    """
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        where = f"line {number}"
        try:
            body = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidRecord(f"{where}: expected a JSON object, got {text[:60]!r} ({error})") from None
        if not isinstance(body, dict) or not body.keys() <= set(_PARTS):
            raise InvalidRecord(f"{where}: expected {', '.join(_PARTS)}, got {text[:60]!r}")

        def part(kind: type[Any], name: str, body: dict[str, Any] = body, where: str = where) -> Any:
            return from_json(kind, body[name], f"{where}: {name}") if name in body else None

        yield Line(
            number,
            part(Policy, "policy"),
            part(State, "state"),
            part(Sample, "sample"),
            part(Orders, "orders") or NO_ORDERS,
            part(Verdict, "verdict"),
            bool(part(bool, "probation")),
        )


def describe(second: float, verdict: Verdict) -> str:
    """One decision as a line."""
    told = "" if verdict.acts else " (told only)"
    return (
        f"{second:10.1f} {verdict.weight_percent:6.1f}% {verdict.stage:<8} {verdict.judgement:<8} "
        f"{verdict.action + told:<12} {verdict.reason:<20} {verdict.fast:10.3g} ({verdict.brake_at:g}) "
        f"{verdict.sure:12.3g} ({verdict.roll_back_at:g})"
    )


def replay(lines: Sequence[Line], settings: Sequence[tuple[str, object]], out: TextIO, *, every: bool) -> int:
    """Decides every sample again and prints it. Returns how many verdicts differ from those in the file."""
    policy, state, different, first = Policy(), None, 0, None
    if settings:
        policy = policy_with(next((line.policy for line in lines if line.policy), policy), settings)
    print(_HEAD, file=out)
    for line in lines:
        if not settings:
            policy = line.policy or policy
            state = line.state or state
        if line.sample is None:
            continue
        first = line.sample.at_seconds if first is None else first
        if line.probation:
            state, verdict = decide_alone(policy, state or begin_alone(policy), line.sample)
        else:
            state, verdict = decide(policy, state or begin(policy), line.sample, line.orders)
        happened = verdict.action is not Action.HOLD or verdict.judgement is Judgement.FAIL
        same = line.verdict is None or bool(settings) or as_json(line.verdict) == as_json(verdict)
        different += not same
        if every or happened or not same:
            print(describe(line.sample.at_seconds - first, verdict), file=out)
        if not same:
            print(f"line {line.number}: the file has another verdict: {json.dumps(as_json(line.verdict))}", file=out)
    return different


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every recorded verdict came out again; 1: some did not; 2: the file cannot be read."""
    parser = argparse.ArgumentParser(prog="fairlead replay", description=__doc__)
    parser.add_argument("file", type=Path, help="one JSON object per line")
    parser.add_argument(
        "--set", action="append", default=[], type=parse_setting, metavar="FIELD=VALUE", help="decide by another policy"
    )
    parser.add_argument("--changes", action="store_true", help="only the looks at which something happened")
    given = parser.parse_args(arguments)
    try:
        lines = list(parse_lines(given.file.read_text().splitlines()))
        different = replay(lines, given.set, sys.stdout, every=not given.changes)
    except (OSError, InvalidRecord, InvalidPolicy) as error:
        print(f"fairlead replay: {error}", file=sys.stderr)
        return 2
    if different:
        print(f"{different} of the recorded verdicts came out differently", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

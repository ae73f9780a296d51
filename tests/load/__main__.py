"""`python -m tests.load URL --rate 100 --seconds 30`: send load and print what became of it.

Exit code 0: every request was answered well and sent on time; 1: some were not; 2: the arguments are wrong.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.load.plan import BadPlanError, Connections, LoadPlan
from tests.load.worker import send


def parse_arguments(arguments: Sequence[str]) -> tuple[LoadPlan, Path | None]:
    """The plan, and where to write the report as JSON. Raises BadPlanError."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Open-loop HTTP load at a fixed rate.")
    parser.add_argument("url", help="http://host[:port]/path")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to send")
    parser.add_argument("--body", help="JSON text, or a file that holds it; sent with POST")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="sent with every request")
    parser.add_argument("--expect-field", action="append", default=[], metavar="PATH=VALUE", help="outputs.0.data=[1]")
    parser.add_argument("--expect-body", metavar="REGEX", help="must be found in every body")
    parser.add_argument("--count-header", metavar="NAME", help="count the answers by this header: x-fairlead-revision")
    parser.add_argument("--connections", type=Connections, choices=list(Connections), default=Connections.KEEPALIVE)
    parser.add_argument("--timeout-seconds", type=float, default=10.0, help="for one answer")
    parser.add_argument("--late-seconds", type=float, default=0.05, help="sent later than this counts as late")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the report there")
    given = parser.parse_args(arguments)
    plan = LoadPlan(
        url=given.url,
        rate=given.rate,
        seconds=given.seconds,
        body=_read_body(given.body),
        headers=dict(_split(text, "header") for text in given.header),
        expect_fields={path: _value(text) for path, text in (_split(t, "expect-field") for t in given.expect_field)},
        expect_body=given.expect_body,
        count_header=given.count_header,
        connections=given.connections,
        timeout_seconds=given.timeout_seconds,
        late_seconds=given.late_seconds,
    )
    return plan, given.json


def _read_body(text: str | None) -> str | None:
    if text is None or text.lstrip().startswith(("{", "[")):
        return text
    try:
        return Path(text).read_text()
    except OSError as error:
        raise BadPlanError(f"body: expected JSON or a readable file, got {text!r}: {error.strerror}") from None


def _split(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadPlanError(f"{option}: expected NAME=VALUE, got {text!r}")
    return name, value


def _value(text: str) -> Any:
    """A value given on the command line: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: Sequence[str]) -> int:
    """Run the plan of the command line."""
    try:
        plan, out = parse_arguments(arguments)
    except BadPlanError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report = asyncio.run(send(plan))
    print(report.describe())
    if out is not None:
        out.write_text(report.to_json() + "\n")
    return 0 if report.failed == 0 and report.on_time else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.cluster COMMAND`: build, up, down, status, env, image, footprint."""

from __future__ import annotations

import argparse
import sys

from tests.cluster import versions
from tests.cluster.binaries import ensure
from tests.cluster.progress import ClusterError, say


def main(argv: list[str]) -> int:
    """Run one command; a failure is one message on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="compile what is missing")
    build.add_argument("group", choices=sorted(versions.GROUPS))
    args = parser.parse_args(argv)
    try:
        for name, path in ensure(versions.GROUPS[args.group]).items():
            print(f"{name}\t{path}")
    except ClusterError as failure:
        say(str(failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

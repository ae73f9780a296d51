"""`python -m tests.cluster COMMAND`: the local cluster from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tests.cluster import footprint, images, versions
from tests.cluster.binaries import ensure
from tests.cluster.interface import cluster
from tests.cluster.kubectl import CommandError
from tests.cluster.progress import ClusterError, say


def main(argv: list[str]) -> int:
    """Run one command; a failure is one message on standard error and exit code 1."""
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except (ClusterError, CommandError) as failure:
        say(str(failure))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="compile what is missing of a group of binaries")
    build.add_argument("group", choices=sorted(versions.GROUPS))
    commands.add_parser("up", help="bring the cluster up")
    commands.add_parser("down", help="remove it without a trace")
    commands.add_parser("status", help="say whether it runs; exit code 1 when it does not")
    commands.add_parser("env", help="print the exports that point kubectl and helm at it")
    commands.add_parser("footprint", help="print what a cluster could leave behind on this machine, as JSON")
    image = commands.add_parser("image", help="build an image and load it into the cluster")
    image.add_argument("ref")
    image.add_argument("--file", type=Path, required=True)
    image.add_argument("--context", type=Path, default=Path())
    return parser


def _run(args: argparse.Namespace) -> int:
    match args.command:
        case "build":
            for name, path in ensure(versions.GROUPS[args.group]).items():
                print(f"{name}\t{path}")
        case "up":
            cluster().up()
        case "down":
            cluster().down()
        case "status":
            return _status()
        case "env":
            tools = {str(path.parent) for path in ensure(versions.TOOLS).values()}
            print(f"export KUBECONFIG={cluster().kubeconfig}")
            print(f"export PATH={os.pathsep.join(sorted(tools))}:$PATH")
        case "footprint":
            print(json.dumps(footprint.take(), indent=1))
        case "image":
            images.build(args.ref, args.file, args.context)
            cluster().load(args.ref)
    return 0


def _status() -> int:
    found = cluster()
    if not found.running():
        print("down")
        return 1
    print(f"up: node {found.node_name} at {found.address}, KUBECONFIG={found.kubeconfig}")
    print(found.kubectl("get", "nodes,pods", "--all-namespaces", "-o", "wide"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

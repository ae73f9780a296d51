"""`python -m tests.soak [--minutes 30]`: a version a minute, a third of them bad, a pod killed now and then."""

import argparse
import random
import sys
from collections.abc import Sequence

from tests import platform
from tests.cluster.interface import cluster as local_cluster
from tests.e2e.rollout import Watched
from tests.e2e.world import namespaced
from tests.soak.run import Soak


def main(arguments: Sequence[str]) -> int:
    """Run, print; 1 when something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=60, help="seconds from one version to the next")
    parser.add_argument("--seed", type=int, default=1, help="of what is bad in which way, and which pods die")
    given = parser.parse_args(arguments)
    cluster = local_cluster()
    platform.install_all(cluster)
    with namespaced(cluster) as world:
        soak = Soak(Watched(world), random.Random(given.seed))  # noqa: S311 -- no secret hangs on it
        soak.run(minutes=given.minutes, every_seconds=given.every)
    problems = soak.problems()
    for line in [*soak.tally.lines(), *problems]:
        print(line)
    print(soak.describe(), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.bench`: what 200 ModelDeployments at once cost the operator, and whether that is within the goals.

Prints a line for every run, writes the table, and ends with one line that sums it up.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measure import Measurement, Source, measure
from tests.bench.report import summary, table
from tests.cluster import versions

TABLE = Path(__file__).parent / "reconcile.md"
_HEAD = """# What many ModelDeployments at once cost

`make bench-reconcile`: the operator as a process against a real etcd and kube-apiserver without controllers; all
ModelDeployments are created at once. When all of their Deployments are there, their status is set to ready at once,
as the Deployment controller would. Requests are counted in the API server's audit log; the Lease's are left out.
"""


def machine() -> str:
    """Processor, cores and memory."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{found.group(1) if found else platform.machine()}, {os.cpu_count()} cores, {gib:.0f} GiB"


def circumstances() -> str:
    """When, where and with what it was measured."""
    made_of = f"Python {platform.python_version()}, Kubernetes {versions.KUBERNETES}, etcd {versions.ETCD}"
    return f"{datetime.now(UTC):%Y-%m-%d}; {machine()}; {made_of}."


def repeat(runs: int, count: int, source: Source) -> list[Measurement]:
    """The runs, one after the other, each with a control plane of its own."""
    found = []
    for number in range(1, runs + 1):
        with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder:
            found.append(measure(Path(folder), count, source))
        print(f"[bench] run {number} of {runs}: {summary(found[-1:])}", flush=True)
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="ModelDeployments")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=TABLE, help="where the table goes")
    given = parser.parse_args(arguments)
    runs = repeat(given.runs, given.count, Source())
    text = "\n".join([_HEAD, circumstances(), "", table(runs), "", f"`{summary(runs)}`", ""])
    given.out.write_text(text)
    print(table(runs))
    print(summary(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.bench`: what 200 ModelDeployments at once cost the operator, and whether that is within the goals.

Prints a line for every run, writes the table, and ends with one line that sums it up.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.apiserver.mlflow_server import mlflow_server
from tests.apiserver.registry_proxy import registry_proxy
from tests.bench.measure import NAMESPACE, Measurement, Source, measure
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


MODEL = f"{NAMESPACE}-model"
"""Without a setting a namespace may use the models whose names begin with its own."""


@contextmanager
def containers() -> Iterator[Source]:
    """A fleet of containers."""
    yield Source()


@contextmanager
def one_model() -> Iterator[Source]:
    """A fleet of the built-in server, all by one alias of one model of a real MLflow."""
    with (
        tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder,
        mlflow_server(Path(folder)) as mlflow,
        registry_proxy(mlflow.url) as proxy,
    ):
        mlflow.register(MODEL, "champion")
        yield Source(MODEL, proxy.url, asked=lambda: dict(proxy.requests))


FLEETS = {"containers": containers, "one model of a registry": one_model}


def repeat(runs: int, count: int, fleet: Callable[[], AbstractContextManager[Source]]) -> list[Measurement]:
    """The runs, one after the other, each with a control plane of its own."""
    found = []
    for number in range(1, runs + 1):
        with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder, fleet() as source:
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
    found = {title: repeat(given.runs, given.count, fleet) for title, fleet in FLEETS.items()}
    sections = [f"## {title.capitalize()}\n\n{table(runs)}\n" for title, runs in found.items()]
    line = summary(found["containers"])
    given.out.write_text("\n".join([_HEAD, circumstances(), "", *sections, f"`{line}`", ""]))
    print("\n".join(sections))
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

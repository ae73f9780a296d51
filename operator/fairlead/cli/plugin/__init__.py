"""`kubectl fairlead`: looks at ModelDeployments and TrainingJobs, and asks the operator for something.

The plugin only reads, and writes one annotation. What it says comes from the status; it decides nothing.
"""

from fairlead.cli.plugin.commands import cli
from fairlead.cli.plugin.request_commands import add_requests
from fairlead.cli.plugin.running import system_environment


def main() -> None:
    """The console script `kubectl-fairlead`, which kubectl finds on PATH."""
    add_requests(cli)
    cli(obj=system_environment(), prog_name="kubectl fairlead")

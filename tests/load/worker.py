"""The process that sends: plan on stdin, `sending` and then the report on stdout, progress on stderr.

The end of stdin stops the run, so that it cannot outlive whoever started it.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys

from tests.load.engine import OpenLoop, Progress
from tests.load.plan import SENDING, LoadPlan
from tests.load.report import LoadReport


def tell(line: str) -> None:
    """Print one line of progress."""
    print(line, file=sys.stderr, flush=True)


async def send(plan: LoadPlan, progress: Progress = tell) -> LoadReport:
    """Run a plan in this process until it is done or the process is asked to end."""
    # A busy machine must not make requests late: the generator goes first, where it may.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    gc.disable()
    engine = OpenLoop(plan, progress)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, engine.stop)
    return await engine.run()


async def serve_parent() -> None:
    """Run the plan that stands on the first line of stdin and print its report."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    plan = LoadPlan.from_json((await reader.readline()).decode())

    async def stop_with_parent() -> None:
        await reader.read(-1)
        signal.raise_signal(signal.SIGTERM)

    watcher = asyncio.create_task(stop_with_parent())
    run = asyncio.create_task(send(plan))
    print(SENDING, flush=True)
    report = await run
    watcher.cancel()
    print(report.to_json(), flush=True)


if __name__ == "__main__":
    asyncio.run(serve_parent())

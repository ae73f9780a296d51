"""How the process is told to stop."""

import asyncio
import logging
import signal

log = logging.getLogger("fairlead")


async def told_to_stop(ready: asyncio.Event) -> None:
    """Returns at SIGTERM or SIGINT. Takes Kopf's place once it is set up: Kopf gives running tasks five seconds."""
    await ready.wait()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
    log.info("told to stop")

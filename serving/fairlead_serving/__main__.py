"""`python -m fairlead_serving`: serve the model that the environment names."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping

from fairlead_serving.errors import LoadReason, SettingsError
from fairlead_serving.log import configure_logging
from fairlead_serving.server import serve
from fairlead_serving.settings import parse_settings, termination_log
from fairlead_serving.termination import LOAD_FAILED_EXIT_CODE, write_termination

PORT_TAKEN_EXIT_CODE = 4

_log = logging.getLogger("fairlead_serving")


def main(env: Mapping[str, str]) -> int:
    """Run the server until it is told to stop; its exit code."""
    configure_logging()
    try:
        settings = parse_settings(env)
    except SettingsError as error:
        _log.error("settings refused", extra={"cause": str(error)})
        write_termination(termination_log(env), LoadReason.MODEL_LOAD_FAILED, str(error))
        return LOAD_FAILED_EXIT_CODE
    runner = asyncio.Runner()  # not closed: that would wait for a thread in which the model may be stuck
    try:
        return runner.run(serve(settings))
    except OSError as error:
        _log.error("port not free", extra={"port": settings.port, "cause": error.strerror or str(error)})
        return PORT_TAKEN_EXIT_CODE


if __name__ == "__main__":
    code = main(os.environ)
    sys.stdout.flush()
    # Nothing is left to do, and a thread of the model, which may never end, must not keep the process.
    os._exit(code)

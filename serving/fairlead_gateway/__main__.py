"""`python -m fairlead_gateway`: render Envoy's files. `python -m fairlead_gateway drain`: wait until the pod may go."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence

from fairlead_gateway.log import configure_logging
from fairlead_gateway.settings import SettingsError, parse_directory, parse_settings

REFUSED_EXIT_CODE = 2
FAILED_EXIT_CODE = 1

_log = logging.getLogger("fairlead_gateway")


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run one of the two; its exit code."""
    configure_logging()
    try:
        match arguments:
            case []:
                return _serve(env)
            case ["drain"]:
                return _drain(env)
    except SettingsError as error:
        _log.error("settings refused", extra={"cause": str(error)})
        return REFUSED_EXIT_CODE
    except OSError as error:
        _log.error("not to be had", extra={"cause": str(error)})
        return FAILED_EXIT_CODE
    _log.error("arguments refused", extra={"expected": "none, or drain", "got": " ".join(arguments)})
    return REFUSED_EXIT_CODE


def _serve(env: Mapping[str, str]) -> int:
    settings = parse_settings(env)
    from fairlead_gateway.life import serve  # noqa: PLC0415 -- draining needs none of it

    return asyncio.run(serve(settings))


def _drain(env: Mapping[str, str]) -> int:
    directory = parse_directory(env)
    from fairlead_gateway.draining import drain  # noqa: PLC0415 -- serving has started long before

    asyncio.run(drain(directory, time.monotonic))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

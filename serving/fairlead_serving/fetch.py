"""`python -m fairlead_serving.fetch DEST`: the model version's files for a container that is not ours."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairlead_serving.download import ensure_model
from fairlead_serving.errors import LoadError, LoadReason, SettingsError
from fairlead_serving.log import configure_logging
from fairlead_serving.settings import parse_settings, termination_log
from fairlead_serving.termination import LOAD_FAILED_EXIT_CODE, write_termination

_log = logging.getLogger(__name__)


def fetch(env: Mapping[str, str], destination: Path) -> int:
    """Download the version that env names; 0, or LOAD_FAILED_EXIT_CODE with a termination message."""
    try:
        asyncio.run(ensure_model(parse_settings(env), destination))
    except (LoadError, SettingsError) as error:
        reason = error.reason if isinstance(error, LoadError) else LoadReason.MODEL_LOAD_FAILED
        _log.error("model not fetched", extra={"reason": reason, "cause": str(error)})
        write_termination(termination_log(env), reason, str(error))
        return LOAD_FAILED_EXIT_CODE
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the command; 2 for wrong usage."""
    if len(arguments) != 1:
        print("usage: python -m fairlead_serving.fetch DEST", file=sys.stderr)
        return 2
    configure_logging()
    return fetch(os.environ, Path(arguments[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The last words of a container, where the kubelet and then the operator find them."""

import json
import logging
import unicodedata
from pathlib import Path

MAX_BYTES = 1024
LOAD_FAILED_EXIT_CODE = 3

_log = logging.getLogger(__name__)


def termination_message(reason: str, message: str) -> str:
    """Render reason and message as JSON of at most MAX_BYTES bytes of ASCII, without control characters."""
    text = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in message)
    text = " ".join(text.split())
    rendered = json.dumps({"reason": reason, "message": text})
    while len(rendered) > MAX_BYTES:
        # One character is up to 12 bytes of JSON, so this cuts too little rather than too much.
        text = text[: len(text) - max(1, (len(rendered) - MAX_BYTES) // 12)]
        rendered = json.dumps({"reason": reason, "message": text})
    return rendered


def write_termination(path: Path, reason: str, message: str) -> None:
    """Leave reason and message at path."""
    write_last_words(path, termination_message(reason, message))


def write_last_words(path: Path, text: str) -> None:
    """Leave the text at path; a path that cannot be written is logged, for the exit code still tells."""
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        _log.warning("termination message not written", extra={"path": str(path), "cause": str(error)})

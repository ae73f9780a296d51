"""Logs are lines of JSON."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fairlead.shell.logs import JsonFormatter, configure_logs


def line(message: str = "settled", level: int = logging.INFO, **more: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"name": "fairlead.loop", "levelno": level, "msg": message, **more})
    record.levelname = logging.getLevelName(level)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_what_is_said_beside_the_message_becomes_fields() -> None:
    found = line(key="ModelDeployment/team/churn", delay_seconds=1.5)
    assert (found["level"], found["logger"], found["message"]) == ("info", "fairlead.loop", "settled")
    assert (found["key"], found["delay_seconds"]) == ("ModelDeployment/team/churn", 1.5)
    assert set(found) == {"time", "level", "logger", "message", "key", "delay_seconds"}


def test_the_time_is_utc_with_milliseconds() -> None:
    assert line(created=0.25)["time"] == "1970-01-01T00:00:00.250+00:00"


def test_a_value_that_json_does_not_know_is_written_as_text() -> None:
    assert line(seen={1})["seen"] == "{1}"


def test_an_exception_stays_on_the_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        found = line(exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: broken" in found["exception"]


@pytest.fixture
def loggers() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = handlers, level


def test_the_level_is_that_of_the_settings_and_the_http_client_is_quiet(
    loggers: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("debug")
    logging.getLogger("fairlead.x").debug("said", extra={"key": "k"})
    logging.getLogger("httpx").info("a request")
    lines = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert [(item["message"], item["key"]) for item in lines] == [("said", "k")]
    assert loggers.level == logging.DEBUG

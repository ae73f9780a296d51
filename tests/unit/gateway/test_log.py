import io
import json
import logging

from fairlead_gateway.log import JsonLines, configure_logging


def test_a_record_is_one_line_of_json_with_its_extras() -> None:
    record = logging.makeLogRecord({"name": "a.b", "levelname": "INFO", "msg": "two\nlines %s", "args": ("x",), "n": 8})
    text = JsonLines().format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["logger"], line["message"], line["n"]) == ("info", "a.b", "two\nlines x", 8)
    assert line["time"].endswith("+00:00")
    assert set(line) == {"time", "level", "logger", "message", "n"}


def test_a_traceback_is_part_of_the_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, error.__traceback__)})
    assert "ValueError: boom" in json.loads(JsonLines().format(record))["traceback"]


def test_configured_logs_go_to_the_stream() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    try:
        configure_logging(stream)
        logging.getLogger("x").info("said", extra={"port": 1})
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)
    assert json.loads(stream.getvalue())["port"] == 1

import json
import logging

from fairlead_serving.log import JsonLines


def test_a_record_is_one_line_of_json_with_its_extras() -> None:
    record = logging.makeLogRecord(
        {"name": "a.b", "levelname": "INFO", "msg": "two\nlines %s", "args": ("x",), "port": 80}
    )
    text = JsonLines().format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["logger"], line["message"], line["port"]) == ("info", "a.b", "two\nlines x", 80)
    assert line["time"].endswith("+00:00")
    assert set(line) == {"time", "level", "logger", "message", "port"}


def test_a_traceback_is_part_of_the_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, error.__traceback__)})
    assert "ValueError: boom" in json.loads(JsonLines().format(record))["traceback"]

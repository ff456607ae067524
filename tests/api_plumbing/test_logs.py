"""Log lines."""

import json
import logging
import sys

from omnigent.logs import JsonFormatter, KeyValueFormatter


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "omnigent.x", "levelname": "INFO", "msg": "tunnel_up", **fields})
    made.created = 0.0
    return made


def test_text_lines_carry_the_fields_quoted_when_needed() -> None:
    line = KeyValueFormatter().format(record(runner="runner_1", reason="went away", empty=""))

    assert line == (
        "1970-01-01T00:00:00.000Z INFO omnigent.x: tunnel_up runner=runner_1 reason='went away' empty=''"
    )


def test_a_text_line_is_one_line() -> None:
    assert "\n" not in KeyValueFormatter().format(record(msg="a\nb", reason="c\nd"))


def test_json_lines_carry_the_fields_as_members() -> None:
    entry = json.loads(JsonFormatter().format(record(runner="runner_1", count=3)))

    assert entry == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "INFO",
        "logger": "omnigent.x",
        "event": "tunnel_up",
        "runner": "runner_1",
        "count": 3,
    }


def test_tracebacks_are_kept() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        failed = record(exc_info=sys.exc_info())

    assert "ValueError: no" in KeyValueFormatter().format(failed)
    assert "ValueError: no" in json.loads(JsonFormatter().format(failed))["traceback"]

"""Log lines as key=value text or as JSON objects, one per event."""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

# What every LogRecord carries; anything else came in through `extra` and is a field of the event. Django adds
# the request, whose text has the query, and a client may have put a secret there; the event names the path.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    *("message", "asctime", "taskName", "color_message", "request"),
}


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in STANDARD}


class KeyValueFormatter(logging.Formatter):
    """`2026-01-02T03:04:05.678Z INFO omnigent.server: serving url=http://127.0.0.1:6767`"""

    def format(self, record: logging.LogRecord) -> str:
        parts = [f"{timestamp(record)} {record.levelname} {record.name}: {record.getMessage()}"]
        parts += [f"{key}={quoted(value)}" for key, value in fields_of(record).items()]
        line = " ".join(parts).replace("\n", "\\n")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with `time`, `level`, `logger`, `event` and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(mark in text for mark in " \"'\n\r\t=") else text

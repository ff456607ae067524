"""Reads fields of vendor objects, which the vendors' libraries build from JSON without validation."""

import json
import re
from typing import Final

from omnigent.runner.harnesses.failures import MalformedEvent

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def text(source: object, name: str) -> str:
    """The text in a field that must be there; characters that no store accepts become U+FFFD."""
    value = getattr(source, name, None)
    if not isinstance(value, str):
        raise MalformedEvent(f"{name} is not text")
    return value if value.isascii() and "\x00" not in value else _UNSTORABLE.sub("\ufffd", value)


def optional_text(source: object, name: str) -> str:
    """Like `text`; empty when the field is missing or null."""
    return "" if getattr(source, name, None) is None else text(source, name)


def child(source: object, name: str) -> object:
    """The object in a field, or None."""
    value: object = getattr(source, name, None)
    return value


def required(source: object, name: str) -> object:
    """The object in a field that must be there."""
    value = child(source, name)
    if value is None:
        raise MalformedEvent(f"{name} is missing")
    return value


def sequence(source: object, name: str) -> list[object]:
    """The list in a field; empty when the field is missing or null."""
    value = child(source, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedEvent(f"{name} is not a list")
    return value


def index(source: object, name: str) -> int:
    """A position that must be there."""
    value = child(source, name)
    if not isinstance(value, int):
        raise MalformedEvent(f"{name} is not a number")
    return value


def count(source: object, name: str) -> int:
    """A number of tokens; 0 when it is not known, since no answer is lost over its accounting."""
    value = child(source, name)
    return value if isinstance(value, int) and value > 0 else 0


def is_json(text: str) -> bool:
    """Whether a call's arguments are complete."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def json_text(value: object) -> str:
    """Arguments that a vendor gave as an object, as text; an empty object when there are none."""
    return json.dumps(value or {}, ensure_ascii=False)

"""JSON text in and out, with one error for everything that is wrong with it."""

from typing import Any

import orjson

MAX_DEPTH = 200
"""Deeper JSON is refused on the way in: it could be read, but not written again."""


class FrameError(ValueError):
    """Text or JSON that is not what its class says; the message names the member."""


class MissingField(FrameError):
    """A required member is absent."""


def decode(text: str | bytes) -> Any:
    """JSON text to plain objects. Raises FrameError for bad JSON or UTF-8, lone surrogates, deep nesting."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FrameError(f"not JSON: {error}") from None
    openings = (
        (text.count("{") + text.count("[")) if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    )
    if openings > MAX_DEPTH:
        check_depth(value)
    return value


def encode(value: Any) -> bytes:
    """Plain objects to compact JSON. Raises FrameError for what JSON cannot say, such as lone surrogates."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise FrameError(f"not expressible as JSON: {error}") from None


def check_depth(value: Any) -> None:
    """Raise FrameError when containers are nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [one for one in level if isinstance(one, dict | list)]
        if not containers:
            return
        level = [below for one in containers for below in (one.values() if isinstance(one, dict) else one)]
    raise FrameError(f"JSON nested deeper than {MAX_DEPTH} levels")

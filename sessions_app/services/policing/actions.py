"""An action in the form that is compared, shown to a person and kept: exact, plain, and as JSON."""

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any

import orjson

from omnigent.policies.types import Phase, PolicyEvent
from omnigent.protocol import items

PREVIEW = 1024
REASON = 2000
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Characters that nobody sees, or that turn the direction of what one sees."""


def digest(event: PolicyEvent) -> str:
    """The SHA-256 of the exact action: any other argument is another action."""
    exact = {
        "phase": event.phase.value,
        "target": event.target,
        "data": event.data,
        "request": event.request_data,
    }
    return hashlib.sha256(_json(exact)).hexdigest()


def plain(text: str, limit: int) -> str:
    """Text as a person may safely read it: controls and direction marks are shown, what is over is cut."""
    shown = "".join(_visible(char) for char in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(char: str) -> str:
    if char in "\n\t" or unicodedata.category(char) not in HIDDEN:
        return char
    return f"\\u{ord(char):04x}"


def preview(event: PolicyEvent) -> str:
    """What a person is shown of the action: from the structured call itself, never from what a model says."""
    data = event.data
    if event.phase is Phase.REQUEST:
        words = data.get("user_content") if isinstance(data, Mapping) else data
        return plain(str(words or ""), PREVIEW)
    if event.phase is Phase.TOOL_CALL and isinstance(data, Mapping):
        data = data.get("arguments")
    return plain(orjson.dumps(items.scrub(data), option=orjson.OPT_INDENT_2).decode(), PREVIEW)


def to_json(event: PolicyEvent) -> dict[str, Any]:
    """The event as it is stored with a held action."""
    return {
        "phase": event.phase.value,
        "target": event.target,
        "data": event.data,
        "context": dict(event.context),
        "request_data": None if event.request_data is None else dict(event.request_data),
    }


def from_json(stored: Mapping[str, Any]) -> PolicyEvent:
    """The event of `to_json`."""
    return PolicyEvent(
        phase=Phase(stored["phase"]),
        target=stored["target"],
        data=stored["data"],
        context=stored["context"],
        request_data=stored["request_data"],
    )


def _json(value: Any) -> bytes:
    return orjson.dumps(items.scrub(value), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)

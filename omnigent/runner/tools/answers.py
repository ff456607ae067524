"""What tools that ask the server have in common: their patience, their errors, and answers as JSON."""

import asyncio
import json
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeVar

from omnigent.runner.api import ServerRefused, ServerUnreachable
from omnigent.runner.tools.base import ToolError

SERVER_SECONDS: Final = 60.0

T = TypeVar("T")


async def asked(question: Awaitable[T], seconds: float = SERVER_SECONDS) -> T:
    """The server's answer; raises ToolError in its words."""
    try:
        async with asyncio.timeout(seconds):
            return await question
    except ServerRefused as exc:
        raise Refused(exc) from exc
    except ServerUnreachable as exc:
        raise ToolError(f"The server could not be asked: {exc}") from exc
    except TimeoutError:
        raise ToolError(f"The server did not answer within {seconds:g} s.") from None


class Refused(ToolError):
    """The server said no; `status` is HTTP's."""

    def __init__(self, refusal: ServerRefused) -> None:
        super().__init__(f"HTTP {refusal.status}: {_said(refusal.text)}")
        self.status = refusal.status


def _said(text: str) -> str:
    """The server's message without the object around it, or all of what it sent."""
    try:
        body = json.loads(text)
    except ValueError:
        return text
    said = body.get("error", body.get("detail")) if isinstance(body, Mapping) else None
    message = said.get("message") if isinstance(said, Mapping) else said
    if isinstance(message, str):
        return message
    return json.dumps(message, ensure_ascii=False) if message else text


def as_json(answer: Mapping[str, Any]) -> str:
    """An answer as the model reads it."""
    return json.dumps(answer, ensure_ascii=False)


def schema_of(required: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a tool."""
    return {"type": "object", "properties": properties, "required": list(required)}


def optional_text(arguments: Mapping[str, Any], name: str) -> str | None:
    """A string argument that may be missing or empty; raises ToolError."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise ToolError(f"{name}: a string is required")
    return value or None


def whole_number(arguments: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number in a range; raises ToolError."""
    value = arguments.get(name)
    if value is None:
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ToolError(f"{name}: a whole number is required") from None
    if not low <= number <= high:
        raise ToolError(f"{name}: must be from {low} to {high}")
    return number


def page_query(arguments: Mapping[str, Any], most: int) -> dict[str, str]:
    """The query of one page, from a tool's `limit` and `cursor`; raises ToolError."""
    query = {"limit": str(whole_number(arguments, "limit", 20, 1, most))}
    cursor = optional_text(arguments, "cursor")
    return query if cursor is None else {**query, "after": cursor}


def next_cursor(page: Mapping[str, Any]) -> object:
    """What gets the page after this one, None when it is the last."""
    return page.get("last_id") if page.get("has_more") else None

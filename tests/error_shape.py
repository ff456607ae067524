"""The one assertion about error answers."""

from collections.abc import Sequence
from typing import Any, Protocol


class Answer(Protocol):
    """What httpx and Django's client have in common."""

    status_code: int

    def json(self) -> Any: ...


def assert_error(answer: Answer, status: int, code: str, message: str | None = None) -> dict[str, Any]:
    """The answer is this error, in the shape that every error has; returns its body."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == status, body
    assert set(body) <= {"error", "detail"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    if message is not None:
        assert body["error"]["message"] == message
    return body


def assert_invalid(answer: Answer, *loc: str | int, kind: str | None = None) -> dict[str, Any]:
    """The answer is a 422 whose list names this place; returns that row."""
    body = assert_error(answer, 422, "invalid_input")
    rows: Sequence[dict[str, Any]] = body["detail"]
    assert all({"type", "loc", "msg", "input"} <= set(row) for row in rows)
    found = [row for row in rows if row["loc"][: len(loc)] == list(loc)]
    assert found, rows
    if kind is not None:
        assert found[0]["type"] == kind, found
    return found[0]

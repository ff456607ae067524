"""What a runner asks its server about the comments on a session's files."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from omnigent.runner.api import ServerApi, ServerRefused, object_of

Row = Mapping[str, Any]


async def listed(api: ServerApi, session_id: str, **query: str) -> Sequence[Row]:
    """All comments, oldest first; `path` narrows them to one file. Raises ServerRefused."""
    answer = await api.call("GET", _path(session_id), params=query)
    try:
        rows = answer.json()
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        raise ServerRefused(answer.status_code, "the answer is no list")
    return [row for row in rows if isinstance(row, Mapping)]


async def settle(
    api: ServerApi, session_id: str, comment_id: str, status: str, *, key: str
) -> dict[str, Any]:
    """Give a comment another status; the comment."""
    path = f"{_path(session_id)}/{quote(comment_id, safe='')}"
    headers = {"Idempotency-Key": key}
    return object_of(await api.call("PATCH", path, json={"status": status}, headers=headers))


def _path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}/comments"

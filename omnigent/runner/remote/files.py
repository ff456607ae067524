"""What a runner asks its server about the uploaded files of a session."""

from typing import Any
from urllib.parse import quote

from omnigent.runner.api import FileContent, ServerApi, object_of


async def listed(api: ServerApi, session_id: str, **query: str) -> dict[str, Any]:
    """A page of the session's files, newest first."""
    return object_of(await api.call("GET", _path(session_id), params=query))


async def upload(
    api: ServerApi, session_id: str, filename: str, data: bytes, *, key: str, seconds: float
) -> dict[str, Any]:
    """A new file of the session; asking again with the same key gives the same one."""
    answer = await api.call(
        "POST",
        _path(session_id),
        files={"file": (filename, data)},
        headers={"Idempotency-Key": key},
        timeout=seconds,
    )
    return object_of(answer)


async def facts(api: ServerApi, session_id: str, file_id: str) -> dict[str, Any]:
    """What the server knows of a file."""
    return await api.file(quote(session_id, safe=""), quote(file_id, safe=""))


async def content(api: ServerApi, session_id: str, file_id: str) -> FileContent:
    """The bytes of a file."""
    return await api.file_content(quote(session_id, safe=""), quote(file_id, safe=""))


def _path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}/resources/files"

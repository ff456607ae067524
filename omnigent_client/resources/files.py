"""/v1/sessions/{id}/resources/files: files that belong to a session."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Unpack

from omnigent_client.decoding import read
from omnigent_client.pages import Page, collect
from omnigent_client.records.files import CopiedFiles, File
from omnigent_client.records.sessions import Deleted
from omnigent_client.resources.base import Resource
from omnigent_client.resources.fields import PageFilters
from omnigent_client.transport.http import Call, path_of

ANY_TYPE = "application/octet-stream"


class Files(Resource):
    """Uploads. A message refers to one by `{"type": "input_file", "file_id": …}`."""

    async def upload(
        self,
        session_id: str,
        file: bytes | str | PathLike[str],
        *,
        filename: str | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
    ) -> File:
        """Upload bytes, which need a `filename`, or the file at a path."""
        if isinstance(file, bytes):
            content, name = file, filename
        else:
            content = await asyncio.to_thread(Path(file).read_bytes)
            name = filename or Path(file).name
        if not name:
            raise ValueError("bytes need a filename")
        kind = content_type or mimetypes.guess_type(name)[0] or ANY_TYPE
        call = Call(
            method="POST",
            path=_path(session_id),
            parts=(("file", (name, content, kind)),),
            idempotency_key=idempotency_key,
        )
        return read(File, await self._transport.json(call))

    async def list(self, session_id: str, **filters: Unpack[PageFilters]) -> Page[File]:
        """One page of the session's files, newest first unless told otherwise."""
        return await self._page(File, _path(session_id), filters)

    def iter(self, session_id: str, **filters: Unpack[PageFilters]) -> AsyncIterator[File]:
        """All of them, fetched page by page while the caller iterates."""
        return self._walk(File, _path(session_id), filters)

    async def list_all(self, session_id: str, **filters: Unpack[PageFilters]) -> tuple[File, ...]:
        """All of them at once."""
        return await collect(self.iter(session_id, **filters))

    async def get(self, session_id: str, file_id: str) -> File:
        """What is known of one file."""
        return read(File, await self._get(_path(session_id, file_id)))

    async def content(self, session_id: str, file_id: str) -> bytes:
        """Its bytes."""
        call = Call(method="GET", path=_path(session_id, file_id, "content"))
        return (await self._transport.send(call)).content

    async def delete(self, session_id: str, file_id: str) -> Deleted:
        """Delete it."""
        return read(Deleted, await self._write("DELETE", _path(session_id, file_id)))

    async def copy(
        self,
        session_id: str,
        *,
        source_session_id: str,
        file_ids: Sequence[str],
        idempotency_key: str | None = None,
    ) -> CopiedFiles:
        """Copy files of a session above this one."""
        body = {
            "source_session_id": source_session_id,
            "file_ids": tuple(file_ids),
            "idempotency_key": idempotency_key,
        }
        path = path_of("sessions", session_id, "resources", "files:copy")
        return read(CopiedFiles, await self._write("POST", path, body))


def _path(session_id: str, *segments: str) -> str:
    return path_of("sessions", session_id, "resources", "files", *segments)

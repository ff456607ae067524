"""Who may do what on a session, and what people remark on its files."""

from collections.abc import Sequence
from typing import Unpack

from omnigent_client.decoding import read
from omnigent_client.errors import InvalidAnswerError
from omnigent_client.pages import read_page
from omnigent_client.records.files import Comment, SentComments
from omnigent_client.records.server import Grant
from omnigent_client.records.sessions import Deleted
from omnigent_client.resources.base import Resource
from omnigent_client.resources.fields import CommentChanges
from omnigent_client.transport.http import path_of


class Permissions(Resource):
    """/v1/sessions/{id}/permissions. `__public__` as a user means everybody."""

    async def list(self, session_id: str, *, limit: int | None = None) -> tuple[Grant, ...]:
        """Who has been given what: everybody, fetched in pages of `limit`."""
        path = path_of("sessions", session_id, "permissions")
        grants: tuple[Grant, ...] = ()
        cursor = None
        while True:
            page = read_page(
                Grant, await self._get(path, {"limit": limit, "cursor": cursor}), member="permissions"
            )
            grants += page.data
            following = page.raw.get("next_cursor")
            if not following or following == cursor:
                return grants
            cursor = following

    async def grant(self, session_id: str, user_id: str, level: int) -> Grant:
        """Give somebody level 1 (read), 2 (edit) or 3 (manage)."""
        path = path_of("sessions", session_id, "permissions")
        return read(Grant, await self._write("PUT", path, {"user_id": user_id, "level": level}))

    async def revoke(self, session_id: str, user_id: str) -> None:
        """Take it away again; with the caller's own id, leave the session."""
        await self._write("DELETE", path_of("sessions", session_id, "permissions", user_id))


class Comments(Resource):
    """/v1/sessions/{id}/comments."""

    async def list(self, session_id: str, *, path: str | None = None) -> tuple[Comment, ...]:
        """All of a session's comments, or those on one file."""
        answer = await self._get(_path(session_id), {"path": path})
        if not isinstance(answer, list):
            raise InvalidAnswerError("comments are a list")
        return tuple(read(Comment, one) for one in answer)

    async def create(
        self,
        session_id: str,
        *,
        path: str,
        body: str,
        start_index: int,
        end_index: int,
        anchor_content: str | None = None,
        idempotency_key: str | None = None,
    ) -> Comment:
        """Remark on a range of a file in the workspace."""
        members = {
            "path": path,
            "body": body,
            "start_index": start_index,
            "end_index": end_index,
            "anchor_content": anchor_content,
            "idempotency_key": idempotency_key,
        }
        return read(Comment, await self._write("POST", _path(session_id), members))

    async def update(self, session_id: str, comment_id: str, **changes: Unpack[CommentChanges]) -> Comment:
        """Change it; only its author may change the words."""
        return read(Comment, await self._write("PATCH", _path(session_id, comment_id), changes))

    async def delete(self, session_id: str, comment_id: str) -> Deleted:
        """Delete it."""
        return read(Deleted, await self._write("DELETE", _path(session_id, comment_id)))

    async def send(
        self, session_id: str, comment_ids: Sequence[str], *, instruction: str | None = None
    ) -> SentComments:
        """Make one message for the agent of these comments; they count as addressed from now on."""
        body = {"comment_ids": tuple(comment_ids), "instruction": instruction}
        return read(SentComments, await self._write("POST", _path(session_id, "send"), body))


def _path(session_id: str, *segments: str) -> str:
    return path_of("sessions", session_id, "comments", *segments)

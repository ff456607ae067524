"""Comments on a session's files: writing and settling them, and the message that hands them to the agent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.events import publish
from sessions_app.models import Comment, CommentStatus, Session
from sessions_app.services import access, rules
from sessions_app.services.access import Access, Level

MAX_COMMENTS = 2000
"""A list of comments is not paged, so a session holds no more than this."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def list_comments(
    *, principal: Principal, session_id: str, path: str | None = None
) -> list[Mapping[str, Any]]:
    """All comments in the order they were written, or those on one file."""
    found = access.require(principal, session_id, Level.READ)
    rows = Comment.objects.filter(session=found.pk).order_by("pk")
    if path is not None:
        rows = rows.filter(path=path)
    return [shown(row, found.public_id) for row in rows]


def add_comment(
    *,
    principal: Principal,
    session_id: str,
    path: str,
    start_index: int,
    end_index: int,
    body: str,
    anchor_content: str | None,
) -> Mapping[str, Any]:
    """Write a comment as a draft."""
    found = access.require(principal, session_id, Level.EDIT)
    if ".." in path.replace("\\", "/").split("/"):
        raise rules.invalid("Parent path segments are not permitted")
    with transaction.atomic():
        if not Session.objects.select_for_update(of=("self",)).filter(pk=found.pk).values_list("pk").first():
            raise access.not_found()
        if Comment.objects.filter(session=found.pk).count() >= MAX_COMMENTS:
            raise rules.invalid(f"A session holds at most {MAX_COMMENTS} comments")
        now = timezone.now()
        row = Comment.objects.create(
            session_id=found.pk,
            path=path,
            start_index=start_index,
            end_index=end_index,
            body=body,
            anchor_content=anchor_content,
            created_by=_author(principal, found),
            created_at=now,
            updated_at=now,
        )
        _announce(found)
    return shown(row, found.public_id)


def change_comment(
    *,
    principal: Principal,
    session_id: str,
    comment_id: str,
    body: str | None = None,
    status: str | None = None,
) -> Mapping[str, Any]:
    """Reword a comment, which only its author may, or settle it, which every editor may."""
    found = access.require(principal, session_id, Level.EDIT)
    if status is not None and status not in CommentStatus.values:
        raise rules.invalid(f"status must be one of {', '.join(CommentStatus.values)}")
    with transaction.atomic():
        row = _locked(found, [comment_id])[0]
        if body is not None and row.created_by != _author(principal, found):
            raise OmnigentError(ErrorCode.FORBIDDEN, "Only its author can reword a comment")
        if body is None and status is None:
            return shown(row, found.public_id)
        row.body = row.body if body is None else body
        row.status = row.status if status is None else status
        _touch([row])
        _announce(found)
    return shown(row, found.public_id)


def delete_comment(*, principal: Principal, session_id: str, comment_id: str) -> None:
    """Delete a comment. Raises 404 for one that is not this session's."""
    found = access.require(principal, session_id, Level.EDIT)
    if not Comment.objects.filter(session=found.pk, public_id=comment_id).delete()[0]:
        raise _unknown()
    _announce(found)


def send_comments(
    *,
    principal: Principal,
    session_id: str,
    comment_ids: Sequence[str],
    instruction: str | None,
    marks_addressed: bool,
) -> Mapping[str, Any]:
    """The message that tells the agent of these comments, in the order given; they count as addressed."""
    found = access.require(principal, session_id, Level.EDIT)
    wanted = list(dict.fromkeys(comment_ids))
    with transaction.atomic():
        rows = _locked(found, wanted)
        text = message(rows, instruction)
        if marks_addressed:
            for row in rows:
                row.status = CommentStatus.ADDRESSED
            _touch(rows)
            _announce(found)
    return {"formatted_message": text, "sent_comment_ids": wanted}


def message(rows: Sequence[Comment], instruction: str | None) -> str:
    """The comments as a message to an agent: where each one points, what stood there, what it says."""
    parts = [(instruction or "").strip() or "Please work through these review comments."]
    for number, row in enumerate(rows, start=1):
        lines = [f"{number}. {row.path}, characters {row.start_index} to {row.end_index}"]
        if row.anchor_content:
            lines += ["   The text there:", *_indented(row.anchor_content, "   > ")]
        lines += ["   The comment:", *_indented(row.body, "   ")]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _indented(text: str, margin: str) -> list[str]:
    return [f"{margin}{line}".rstrip() for line in text.splitlines()]


def shown(row: Comment, session_id: str) -> Mapping[str, Any]:
    """A comment as clients see it: `created_at` in seconds, `updated_at` in microseconds."""
    return {
        "id": row.public_id,
        "conversation_id": session_id,
        "path": row.path,
        "start_index": row.start_index,
        "end_index": row.end_index,
        "body": row.body,
        "status": row.status,
        "created_at": int(row.created_at.timestamp()),
        "updated_at": (row.updated_at - BEGINNING) // MICROSECOND,
        "anchor_content": row.anchor_content,
        "created_by": row.created_by or None,
    }


def _author(principal: Principal, found: Access) -> str:
    """Whose comment it is; nobody's where there is only one user."""
    return "" if found.level is None else principal.user_id


def _locked(found: Access, comment_ids: Sequence[str]) -> list[Comment]:
    """The comments in the order given, held until the transaction ends. Raises 404 if one is not there."""
    rows = Comment.objects.select_for_update(of=("self",)).filter(session=found.pk, public_id__in=comment_ids)
    by_id = {row.public_id: row for row in rows.order_by("pk")}
    if len(by_id) < len(comment_ids):
        raise _unknown()
    return [by_id[comment_id] for comment_id in comment_ids]


def _announce(found: Access) -> None:
    """Lists show how many comments there are, and when the last one changed."""
    transaction.on_commit(partial(publish.ring, "rows", str(found.pk)))


def _touch(rows: Sequence[Comment]) -> None:
    now = timezone.now()
    for row in rows:
        # Clients compare this to see a change, so it moves even when the clock does not.
        row.updated_at = max(now, row.updated_at + MICROSECOND)
    Comment.objects.bulk_update(rows, ["body", "status", "updated_at"])


def _unknown() -> OmnigentError:
    return OmnigentError(ErrorCode.NOT_FOUND, "Comment not found")

"""Files of a session, and comments on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigent_client.decoding import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class File(Record):
    """An uploaded file."""

    id: str
    name: str | None = None
    filename: str | None = None
    bytes: int | None = None
    created_at: int | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedFiles(Record):
    """Which file became which: `mapping[old id]["new_id"]`."""

    mapping: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment(Record):
    """A remark on a range of a file. `updated_at` is in microseconds, `created_at` in seconds."""

    id: str
    path: str
    body: str
    start_index: int | None = None
    end_index: int | None = None
    status: str | None = None
    conversation_id: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    anchor_content: str | None = None
    created_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SentComments(Record):
    """The message that the agent got, and which comments it stands for."""

    formatted_message: str
    sent_comment_ids: tuple[str, ...] = ()

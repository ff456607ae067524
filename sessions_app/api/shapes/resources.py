"""Files and other resources of a session, comments, grants, and the session's agent."""

from typing import Literal

from omnigent.api.schema.shapes import PageShape, Shape


class FileFacts(Shape):
    """What is known of a file beside its name."""

    filename: str
    bytes: int
    created_at: int
    source_metadata: None


class FileResource(Shape):
    """An uploaded file; its facts are at the top and under `metadata`."""

    id: str
    object: Literal["session.resource"]
    type: Literal["file"]
    session_id: str
    name: str
    filename: str
    bytes: int
    created_at: int
    metadata: FileFacts


class ResourcePage(PageShape):
    """A page of resources."""

    data: list[FileResource]


class DeletedResource(Shape):
    """A resource that is gone."""

    id: str
    object: Literal["session.resource.deleted"]
    deleted: Literal[True]


class FileCopy(Shape):
    """A file that was taken over."""

    new_id: str
    filename: str
    content_type: str


class CopiedFiles(Shape):
    """Each id that was asked for, and its copy."""

    object: Literal["session.files.copied"]
    session_id: str
    mapping: dict[str, FileCopy]


class CommentShape(Shape):
    """A comment on a place in a file; `created_at` in seconds, `updated_at` in microseconds."""

    id: str
    conversation_id: str
    path: str
    start_index: int
    end_index: int
    body: str
    status: str
    created_at: int
    updated_at: int
    anchor_content: str | None
    created_by: str | None


class DeletedComment(Shape):
    """A comment that is gone."""

    deleted: Literal[True]


class SentCommentsMessage(Shape):
    """The message that tells the agent of comments."""

    formatted_message: str
    sent_comment_ids: list[str]


class GrantShape(Shape):
    """What somebody may do with a session: 1 read, 2 edit, 3 manage, 4 own; and `may_approve`, where so."""

    user_id: str
    conversation_id: str
    level: int
    may_approve: bool = False


class GrantPage(Shape):
    """Some grants; `next_cursor` leads to more."""

    permissions: list[GrantShape]
    next_cursor: str | None

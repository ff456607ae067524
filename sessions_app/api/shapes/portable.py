"""What an import answers."""

from omnigent.api.schema.shapes import Shape


class ImportedSession(Shape):
    """A session of an archive; its new id is null when nothing was stored."""

    archive_id: str
    session_id: str | None


class MissingPart(Shape):
    """Something that belongs to the sessions and was not restored."""

    kind: str
    id: str | None
    name: str | None
    reason: str


class Imported(Shape):
    """The first session's new id, all of them, and what is missing."""

    session_id: str | None
    sessions: list[ImportedSession]
    missing: list[MissingPart]
    item_count: int
    file_count: int

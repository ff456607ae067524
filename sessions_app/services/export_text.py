"""An export for people: the transcript of a session and of its sub-agents as Markdown."""

from collections.abc import Iterator

import orjson

from sessions_app.portable import markdown
from sessions_app.services.export_rows import Export
from sessions_app.services.exporting import Plan, PlannedSession


def transcript(plan: Plan) -> Iterator[str]:
    """The transcript in pieces; every step is a few statements."""
    export = Export(plan)
    files = {row["public_id"]: row["filename"] for row in plan.files}
    sessions = iter(plan.sessions)
    current = next(sessions)
    yield _header(current, plan)
    for rows in export.item_rows():
        pieces: list[str] = []
        for row in rows:
            while current.pk != row["session_id"]:
                current = next(sessions)
                pieces.append(_header(current, plan))
            pieces.append(
                markdown.entry(
                    type_=row["type"],
                    data=orjson.loads(row["data"]),
                    created_at=row["created_at"],
                    created_by=row["created_by"],
                    files=files,
                )
            )
        yield "".join(pieces)
    yield "".join(_header(session, plan) for session in sessions)
    yield _attachments(plan)


def _header(session: PlannedSession, plan: Plan) -> str:
    row = session.columns
    is_root = session.number == 1
    title = row["title"] or row["public_id"]
    return markdown.header(
        title=title if is_root else f"Sub-agent: {title}",
        level=1 if is_root else 2,
        facts=[
            ("Session", row["public_id"]),
            ("Agent", row["agent__name"] or ""),
            ("Begun", markdown.clock(row["created_at"])),
            ("Items", str(session.items)),
        ],
    )


def _attachments(plan: Plan) -> str:
    if not plan.files:
        return ""
    facts = [(row["filename"], f"{row['content_type']}, {row['blob__size']} bytes") for row in plan.files]
    escaped = [(markdown.plain(name), value) for name, value in facts]
    return markdown.header(title="Files", level=2, facts=escaped)

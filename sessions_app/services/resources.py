"""What a session has besides its items, in one list: what its runner has open comes first, then its files."""

from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.api.pagination import PageQuery, envelope
from omnigent.ids import FILE
from sessions_app.services import files
from sessions_app.services.environments import Place

FILES = "file"
OF_RUNNER = frozenset({"environment", "terminal"})
Row = Mapping[str, Any]


def rows_of(answer: Any, wanted: str | None) -> list[Row]:  # whatever a runner has sent
    """The environments and terminals in a runner's list."""
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    return [
        row
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, Mapping)
        and isinstance(row.get("id"), str)
        and row.get("type") in OF_RUNNER
        and wanted in (None, row["type"])
    ]


def page(place: Place, open_rows: Sequence[Row], asked: PageQuery, wanted: str | None) -> dict[str, Any]:
    """One page of both. A cursor is an id of either. Raises 404 and 400 for one that is neither."""
    ids = [row["id"] for row in open_rows]
    start, end = 0, len(ids)
    file_after, file_before = asked.after, asked.before
    has_files = wanted in (None, FILES)
    if asked.after in ids:
        start, file_after = ids.index(asked.after) + 1, None
    elif asked.after:
        start = end
    if asked.before in ids:
        end, has_files = ids.index(asked.before), False
    shown = list(open_rows[start:end])
    rows, left = shown[: asked.limit], shown[asked.limit :]
    if not has_files:
        return envelope(rows, [row["id"] for row in rows], has_more=bool(left))
    room = asked.limit - len(rows)
    query = {"limit": max(room, 1), "order": asked.order, "after": file_after, "before": file_before}
    stored = files.page(place.session_pk, place.session_id, PageQuery.model_validate(query).page(FILE))
    if room == 0:
        has_more = bool(left) or bool(stored["data"])
        return envelope(rows, [row["id"] for row in rows], has_more=has_more)
    data = [*rows, *stored["data"]]
    return envelope(data, [row["id"] for row in data], has_more=stored["has_more"])

"""Rows of a session's sub-agents."""

from collections.abc import Collection
from typing import Any

import orjson
from django.db.models import Exists, F, OuterRef, Subquery

from omnigent.api.pagination import Page, cut, envelope, stale_cursor
from omnigent.protocol import items
from sessions_app.expressions import Among, Epoch, JsonText
from sessions_app.labels import labels_as_json
from sessions_app.models import Item, Session, Status, Turn
from sessions_app.search.finding import id_list
from sessions_app.session_rows import waiting_counts
from sessions_app.statements import Past, Row, Slot, Statement, compiled, kept

PREVIEW = 150
UI_PREFIX = "ui"

_PLAIN = ("id", "public_id", "parent__public_id", "title", "agent__public_id", "agent__name", "status")
_COMPUTED = ("created", "updated", "active_response_id", "error", "label_pairs", "has_run", "last_message")


@kept
def _statement(has_after: bool, has_before: bool, ascending: bool, by_title: bool) -> Statement:  # noqa: FBT001 - keys of a cache
    rows = Session.objects.children_of(Slot("parent"))
    if by_title:
        rows = rows.filter(title=Slot("title"))
    if has_after:
        rows = rows.filter(Past(Session, "created_at", "id", "after", scope="parent_id", ascending=ascending))
    if has_before:
        rows = rows.filter(
            Past(Session, "created_at", "id", "before", scope="parent_id", ascending=not ascending)
        )
    rows = rows.in_page_order("created_at", ascending=ascending)
    return compiled(_columns(rows), limited=True)


@kept
def _rows_statement() -> Statement:
    among = Among(F("pk"), Slot("keys"), type_="bigint")
    rows = Session.objects.filter(among, parent__isnull=False).order_by("pk")
    return compiled(_columns(rows, "parent_id"))


def _columns(rows: Any, *more: str) -> Any:  # the manager's queryset class is not generic
    messages = Item.objects.filter(session=OuterRef("pk"), type=items.Message.type).order_by("-position")
    turns = Turn.objects.filter(session=OuterRef("pk")).order_by()
    return rows.annotate(
        created=Epoch("created_at"),
        updated=Epoch("updated_at"),
        error=JsonText("last_task_error"),
        label_pairs=labels_as_json(),
        has_run=Exists(turns),
        last_message=Subquery(messages.values("data")[:1]),
    ).values_list(*_PLAIN, *_COMPUTED, *more)


def read(parent_id: int, page: Page, *, title: str | None = None) -> dict[str, Any]:
    """One page of direct sub-agent sessions, ready for `orjson.dumps`."""
    statement = _statement(
        page.after is not None, page.before is not None, not page.descending, title is not None
    )
    rows = statement.rows(
        parent=parent_id, title=title, after=page.after, before=page.before, limit=page.limit + 1
    )
    if not rows:
        for cursor in page.cursors:
            if not Session.objects.filter(parent=parent_id, public_id=cursor).exists():
                raise stale_cursor(cursor)
    shown, has_more = cut(rows, page)
    waiting = waiting_counts([row[0] for row in shown])
    data = [_present(row, waiting.get(row[0], 0)) for row in shown]
    return envelope(data, [row[1] for row in shown], has_more=has_more)


def rows(session_ids: Collection[int]) -> list[tuple[int, dict[str, Any]]]:
    """(parent, row) of each of these that is somebody's sub-agent, ready for `orjson.dumps`."""
    found = _rows_statement().rows(keys=id_list(sorted(session_ids)))
    waiting = waiting_counts([row[0] for row in found])
    return [(row[-1], _present(row[:-1], waiting.get(row[0], 0))) for row in found]


def _present(row: Row, waiting: int) -> dict[str, Any]:
    public_id, parent_id, title, agent_id, agent_name, status = row[1:7]
    created, updated, response_id, error, labels, has_run, last_message = row[7:]
    tool, session_name = split_title(title)
    return {
        "id": public_id,
        "object": "child_session",
        "parent_session_id": parent_id,
        "title": title or None,
        "task_summary": None,
        "tool": tool,
        "session_name": session_name,
        "kind": "sub_agent",
        "created_at": created,
        "updated_at": updated,
        "agent_id": agent_id,
        "agent_name": agent_name,
        "current_task_id": response_id or None,
        "current_task_status": task_status(status, has_error=error is not None, has_run=bool(has_run)),
        "busy": status in (Status.RUNNING, Status.WAITING),
        "labels": orjson.Fragment(labels or "{}"),
        "last_task_error": None if error is None else orjson.Fragment(error),
        "last_message_preview": _preview(last_message),
        "pending_elicitations_count": waiting,
        "routed_model": None,
        "routing_decision_id": None,
    }


def split_title(title: str) -> tuple[str | None, str | None]:
    """(tool, session name) of a title `agent:name` or `ui:agent:label`."""
    first, colon, rest = title.partition(":")
    if not colon:
        return title or None, None
    if first == UI_PREFIX and ":" in rest:
        first, _, rest = rest.partition(":")
    return first, rest


def task_status(status: str, *, has_error: bool, has_run: bool) -> str | None:
    """A child's status in the words of its parent's task list; None when it has never run."""
    if status in (Status.RUNNING, Status.WAITING):
        return "in_progress"
    if status == Status.FAILED or has_error:
        return "failed"
    return "completed" if has_run else None


def _preview(data: str | None) -> str | None:
    if data is None:
        return None
    text = " ".join(items.text_of(orjson.loads(data).get("content", [])).split())
    return text[:PREVIEW] or None

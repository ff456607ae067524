"""Rows of the session list: one compiled statement for the page, one for what waits on a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import BooleanField, IntegerField, Max, OuterRef, QuerySet, Subquery, TextField, Value

from omnigent.api.pagination import Page, cut, envelope, stale_cursor
from sessions_app.expressions import Epoch, SpokenText
from sessions_app.labels import labels_as_json, shown_labels
from sessions_app.models import Grant, Session, Status
from sessions_app.querysets import OWNER_LEVEL, PUBLIC_USER, has_busy_child, items_mentioning
from sessions_app.statements import Past, Row, Slot, Statement, compiled, kept, query

Visibility = Literal["all", "mine", "shared", "archived"]
CONTEXT, SNIPPET = 60, 160

_PLAIN = (
    "id",
    "public_id",
    "agent__public_id",
    "agent__name",
    "status",
    "title",
    "runner_id",
    "host_id",
    "workspace",
    "git_branch",
    "reasoning_effort",
    "external_session_id",
    "parent__public_id",
    "archived",
)
_COMPUTED = ("created", "updated", "label_pairs", "busy_child", "owner", "level", "hit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Whose list it is. `sees_all` skips grants: the one local user, and administrators."""

    user_id: str
    sees_all: bool
    shows_level: bool
    runner_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a list is narrowed to; empty means no filter."""

    kind: str = "default"
    sort_by: str = "created_at"
    include_archived: bool = False
    visibility: Visibility = "all"
    agent_id: str = ""
    agent_name: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Everything that changes the text of the statement."""

    kind: str
    sort_by: str
    archived: Literal["hidden", "shown", "only"]
    whose: Literal["all", "granted", "mine", "shared", "bound"]
    shows_level: bool
    by_agent: bool
    by_name: bool
    by_text: bool
    ascending: bool
    has_after: bool
    has_before: bool


def read(viewer: Viewer, filters: Filters, page: Page) -> dict[str, Any]:
    """One page of sessions, ready for `orjson.dumps`."""
    if page.cursors and not viewer.sees_all:
        _require_cursors(viewer, page)
    statement = _statement(_shape(viewer, filters, page))
    rows = statement.rows(
        user=viewer.user_id,
        runner=viewer.runner_id,
        archived=filters.visibility == "archived",
        agent_id=filters.agent_id,
        agent_name=filters.agent_name,
        text=filters.search,
        after=page.after,
        before=page.before,
        limit=page.limit + 1,
    )
    if not rows and page.cursors:
        _require_cursors(viewer, page)
    shown, has_more = cut(rows, page)
    waiting = waiting_counts([row[0] for row in shown])
    data = [_present(row, viewer, waiting.get(row[0], 0), filters.search) for row in shown]
    return envelope(data, [row[1] for row in shown], has_more=has_more)


def _shape(viewer: Viewer, filters: Filters, page: Page) -> _Shape:
    if filters.visibility == "archived":
        archived: Literal["hidden", "shown", "only"] = "only"
    else:
        archived = "shown" if filters.include_archived and filters.visibility == "all" else "hidden"
    whose: Literal["all", "granted", "mine", "shared", "bound"] = "all"
    if viewer.runner_id:
        whose = "bound"
    elif viewer.shows_level and filters.visibility in ("mine", "shared"):
        whose = "mine" if filters.visibility == "mine" else "shared"
    elif not viewer.sees_all:
        whose = "granted"
    return _Shape(
        filters.kind,
        filters.sort_by,
        archived,
        whose,
        viewer.shows_level,
        bool(filters.agent_id),
        bool(filters.agent_name),
        bool(filters.search),
        not page.descending,
        page.after is not None,
        page.before is not None,
    )


@kept
def _statement(shape: _Shape) -> Statement:
    rows = _whose(Session.objects.listable().of_kind(shape.kind), shape.whose)
    if shape.archived != "shown":
        # As a value: Django writes the constant as `NOT archived`, which no index answers.
        rows = rows.filter(archived=Slot("archived", BooleanField()))
    if shape.by_agent:
        rows = rows.filter(agent__public_id=Slot("agent_id"))
    if shape.by_name:
        rows = rows.filter(agent__name=Slot("agent_name"))
    if shape.by_text:
        rows = rows.mentioning(Slot("text"))
    if shape.has_after:
        rows = rows.filter(Past(Session, shape.sort_by, "id", "after", ascending=shape.ascending))
    if shape.has_before:
        rows = rows.filter(Past(Session, shape.sort_by, "id", "before", ascending=not shape.ascending))
    rows = rows.in_page_order(shape.sort_by, ascending=shape.ascending)
    grants = Grant.objects.filter(session=OuterRef("pk")).order_by()
    owner = grants.filter(level=OWNER_LEVEL).values("user_id")[:1]
    own = (grants.filter(user_id=Slot("user")) | grants.filter(user_id=PUBLIC_USER)).values("session")
    level = Subquery(own.annotate(best=Max("level")).values("best")) if shape.shows_level else None
    rows = rows.annotate(
        created=Epoch("created_at"),
        updated=Epoch("updated_at"),
        label_pairs=labels_as_json(),
        busy_child=has_busy_child(),
        owner=Subquery(owner),
        level=level or Value(None, IntegerField()),
        hit=first_hit(Slot("text")) if shape.by_text else Value(None, TextField()),
    )
    return compiled(rows.values_list(*_PLAIN, *_COMPUTED), limited=True)


def _whose(rows: Any, whose: str) -> Any:  # the manager's queryset class is not generic
    if whose == "bound":
        return rows.filter(runner_id=Slot("runner"))
    if whose == "granted":
        return rows.visible_to(Slot("user"))
    if whose == "mine":
        return rows.owned_by(Slot("user"))
    if whose == "shared":
        return rows.visible_to(Slot("user")).not_owned_by(Slot("user"))
    return rows


def _present(row: Row, viewer: Viewer, waiting: int, search: str) -> dict[str, Any]:
    """A row without its nulls; a session that waits for sub-agents counts as running."""
    (_, public_id, agent_id, agent_name, status, title, runner_id, host_id, workspace, branch) = row[:10]
    effort, external_id, parent_id, archived, created, updated, labels, busy_child, owner, level, hit = row[
        10:
    ]
    optional = {
        "title": title,
        "runner_id": runner_id,
        "host_id": host_id,
        "workspace": workspace,
        "git_branch": branch,
        "reasoning_effort": effort,
        "external_session_id": external_id,
        "parent_session_id": parent_id,
        "owner": owner,
        "search_snippet": snippet(hit, search) if hit else None,
    }
    shown: dict[str, Any] = {
        "id": public_id,
        "agent_id": agent_id,
        "agent_name": agent_name,
        "status": Status.RUNNING.value if status == Status.WAITING or busy_child else status,
        "created_at": created,
        "updated_at": updated,
        "labels": shown_labels(labels, viewer.user_id),
        "archived": bool(archived),
        "pending_elicitations_count": waiting,
    }
    shown.update({key: value for key, value in optional.items() if value})
    if viewer.shows_level:
        shown["permission_level"] = OWNER_LEVEL if viewer.sees_all else level
    return shown


def first_hit(text: Slot) -> Subquery:
    """The words of the earliest item that holds the searched text."""
    words = items_mentioning(text).order_by("position").annotate(words=SpokenText("data"))
    return Subquery(words.values("words")[:1])


def snippet(words: str, search: str) -> str:
    """The place of the hit with some text on both sides, its whitespace collapsed."""
    text, needle = " ".join(words.split()), " ".join(search.split())
    at = max(text.lower().find(needle.lower()), 0)
    start, end = max(at - CONTEXT, 0), min(at + len(needle) + CONTEXT, len(text))
    end = min(end, start + SNIPPET)
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"


_WAITING = """
WITH RECURSIVE tree(top, id) AS (
  SELECT id, id FROM sessions_app_session WHERE id IN ({marks})
  UNION ALL
  SELECT tree.top, child.id FROM sessions_app_session child JOIN tree ON child.parent_id = tree.id
)
SELECT tree.top, COUNT(*) FROM tree
JOIN sessions_app_elicitation elicitation
  ON elicitation.session_id = tree.id AND elicitation.status = 'pending'
GROUP BY tree.top
"""


def waiting_counts(session_ids: Sequence[int]) -> dict[int, int]:
    """How many questions wait for a person in each session or below it; sessions without any are left out."""
    if not session_ids:
        return {}
    marks = ", ".join(["%s"] * len(session_ids))
    return dict(query(_WAITING.format(marks=marks), session_ids))


def _require_cursors(viewer: Viewer, page: Page) -> None:
    scope: QuerySet[Session] = Session.objects.listable().filter(public_id__in=page.cursors)
    if viewer.runner_id:
        scope = scope.filter(runner_id=viewer.runner_id)
    elif not viewer.sees_all:
        scope = Session.objects.listable().visible_to(viewer.user_id).filter(public_id__in=page.cursors)
    known = set(scope.values_list("public_id", flat=True))
    for cursor in page.cursors:
        if cursor not in known:
            raise stale_cursor(cursor)

"""The session list: one compiled statement for the page, one for what is counted beside its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from django.db.models import BooleanField, Exists, F, OuterRef, Q

from omnigent.api.pagination import Page, cut, envelope, stale_cursor
from sessions_app.expressions import Among, Holds
from sessions_app.labels import PIN
from sessions_app.models import SearchText, Session
from sessions_app.search import finding
from sessions_app.search.limits import TimeIsUpError
from sessions_app.search.words import folded
from sessions_app.session_rows import Viewer as Viewer
from sessions_app.session_rows import beside, present, with_columns
from sessions_app.statements import Past, Row, Slot, Statement, compiled, kept

Visibility = Literal["all", "mine", "shared", "archived"]
Values = dict[str, Any]  # what the slots of a statement are filled with


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a list is narrowed to; empty means no filter, except for `project`: empty is what is not filed."""

    kind: str = "default"
    sort_by: str = "created_at"
    include_archived: bool = False
    visibility: Visibility = "all"
    agent_id: str = ""
    agent_name: str = ""
    search: str = ""
    project: str | None = None
    pinned: bool | None = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """Everything that changes the text of the statement."""

    kind: str
    sort_by: str
    archived: Literal["hidden", "shown", "only"]
    whose: Literal["all", "granted", "mine", "shared", "bound"]
    filed: Literal["anywhere", "nowhere", "here"]
    pinned: bool | None
    shows_level: bool
    by_agent: bool
    by_name: bool
    by_text: bool
    ascending: bool
    has_before: bool


def read(viewer: Viewer, filters: Filters, page: Page) -> dict[str, Any]:
    """One page of sessions, ready for `orjson.dumps`; `search_partial` when there was no time for all."""
    if page.cursors and not viewer.sees_all:
        _require_cursors(viewer, page)
    shape, values = _shape(viewer, filters, page), _values(viewer, filters, page)
    is_partial = False
    if filters.search:
        found = finding.find(filters.search, page.limit + 1, partial(_chunk, shape, values))
        values["keys"] = finding.id_list(found.keys)
        is_partial = found.is_partial
    rows = _page_statement(shape, page.after is not None).rows(**values, limit=page.limit + 1)
    if not rows and page.cursors:
        _require_cursors(viewer, page)
    shown, has_more = cut(rows, page)
    keys = [row[0] for row in shown]
    counts = beside(keys, viewer.user_id)
    data = [present(row, viewer, counts[row[0]]) for row in shown]
    if filters.search and keys:
        is_partial = not _add_snippets(data, keys, filters.search) or is_partial
    answer = envelope(data, [row[1] for row in shown], has_more=has_more)
    return {**answer, "search_partial": True} if is_partial else answer


def _add_snippets(data: Sequence[dict[str, Any]], keys: Sequence[int], search: str) -> bool:
    """Show the place of the hit in each row; false when there was no time for it."""
    try:
        found = finding.snippets(search, keys)
    except TimeIsUpError:
        return False
    for row, key in zip(data, keys, strict=True):
        if key in found:
            row["search_snippet"] = found[key]
    return True


def _shape(viewer: Viewer, filters: Filters, page: Page) -> _Shape:
    if filters.visibility == "archived":
        archived: Literal["hidden", "shown", "only"] = "only"
    else:
        archived = "shown" if filters.include_archived and filters.visibility == "all" else "hidden"
    filed: Literal["anywhere", "nowhere", "here"] = "anywhere"
    if filters.project is not None:
        filed = "here" if filters.project else "nowhere"
    return _Shape(
        kind=filters.kind,
        sort_by=filters.sort_by,
        archived=archived,
        whose=_whose(viewer, filters.visibility),
        filed=filed,
        pinned=filters.pinned,
        shows_level=viewer.shows_level,
        by_agent=bool(filters.agent_id),
        by_name=bool(filters.agent_name),
        by_text=bool(filters.search),
        ascending=not page.descending,
        has_before=page.before is not None,
    )


def _whose(viewer: Viewer, visibility: Visibility) -> Literal["all", "granted", "mine", "shared", "bound"]:
    if viewer.runner_id:
        return "bound"
    if viewer.shows_level and visibility in ("mine", "shared"):
        return "mine" if visibility == "mine" else "shared"
    return "all" if viewer.sees_all else "granted"


def _values(viewer: Viewer, filters: Filters, page: Page) -> Values:
    return {
        "user": viewer.user_id,
        "runner": viewer.runner_id,
        "archived": filters.visibility == "archived",
        "agent_id": filters.agent_id,
        "agent_name": filters.agent_name,
        "project": filters.project,
        "pin": f"{PIN}.{viewer.user_id}",
        "needle": folded(filters.search),
        "after": page.after,
        "before": page.before,
    }


@kept
def _page_statement(shape: _Shape, has_after: bool) -> Statement:  # noqa: FBT001 - part of a shape
    rows = _matching(shape, has_after=has_after)
    if shape.by_text:
        rows = rows.filter(Among(F("pk"), Slot("keys"), type_="bigint"))
    return compiled(with_columns(rows, shows_level=shape.shows_level), limited=True)


@kept
def _chunk_statement(shape: _Shape, has_after: bool, size: int) -> Statement:  # noqa: FBT001 - part of a shape
    """Some rows of the list, and whether each holds the needle in its title or its items."""
    texts = SearchText.objects.filter(Holds(F("text"), Slot("needle")), session=OuterRef("pk")).order_by()
    candidates = _matching(shape, has_after=has_after)[:size].values("pk")
    rows = Session.objects.filter(pk__in=candidates)
    rows = rows.in_page_order(shape.sort_by, ascending=shape.ascending)
    holds = Q(Holds(F("folded_title"), Slot("needle"))) | Q(Exists(texts))
    return compiled(rows.annotate(holds=holds).values_list("pk", "public_id", "holds"))


def _chunk(shape: _Shape, values: Values, after: str | None, size: int) -> list[Row]:
    """The next rows of the list after a public id, or after the page's own cursor."""
    cursor = after or values["after"]
    return _chunk_statement(shape, cursor is not None, size).rows(**{**values, "after": cursor})


def _matching(shape: _Shape, *, has_after: bool) -> Any:  # the manager's queryset class is not generic
    rows = _visible(Session.objects.listable().of_kind(shape.kind), shape.whose)
    if shape.archived != "shown":
        # As a value: Django writes the constant as `NOT archived`, which no index answers.
        rows = rows.filter(archived=Slot("archived", BooleanField()))
    if shape.by_agent:
        rows = rows.filter(agent__public_id=Slot("agent_id"))
    if shape.by_name:
        rows = rows.filter(agent__name=Slot("agent_name"))
    if shape.filed == "here":
        rows = rows.in_project_of(Slot("user"), Slot("project"))
    elif shape.filed == "nowhere":
        rows = rows.unfiled_by(Slot("user"))
    if shape.pinned is not None:
        rows = rows.labelled(Slot("pin"), present=shape.pinned)
    if has_after:
        rows = rows.filter(Past(Session, shape.sort_by, "id", "after", ascending=shape.ascending))
    if shape.has_before:
        rows = rows.filter(Past(Session, shape.sort_by, "id", "before", ascending=not shape.ascending))
    return rows.in_page_order(shape.sort_by, ascending=shape.ascending)


def _visible(rows: Any, whose: str) -> Any:  # see above
    if whose == "bound":
        return rows.run_by(Slot("runner"))
    if whose == "granted":
        return rows.visible_to(Slot("user"))
    if whose == "mine":
        return rows.owned_by(Slot("user"))
    if whose == "shared":
        return rows.visible_to(Slot("user")).not_owned_by(Slot("user"))
    return rows


def _require_cursors(viewer: Viewer, page: Page) -> None:
    scope = Session.objects.listable()
    if viewer.runner_id:
        scope = scope.run_by(viewer.runner_id)
    elif not viewer.sees_all:
        scope = scope.visible_to(viewer.user_id)
    known = set(scope.filter(public_id__in=page.cursors).values_list("public_id", flat=True))
    for cursor in page.cursors:
        if cursor not in known:
            raise stale_cursor(cursor)

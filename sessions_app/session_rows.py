"""One session as lists show it: the columns of its row, what is counted beside, and the row as it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import IntegerField, Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from sessions_app.expressions import Epoch
from sessions_app.labels import labels_as_json, shown_labels
from sessions_app.models import Grant, Status
from sessions_app.querysets import OWNER_LEVEL, PUBLIC_USER, has_busy_child, has_message_under_way
from sessions_app.statements import Row, Slot, query

READ_LEVEL = 1
PLAIN = (
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
    "project__public_id",
    "project__owner",
    "archived",
)
COMPUTED = ("created", "updated", "label_pairs", "busy_child", "under_way", "owner", "level")
OPTIONAL = (
    "title",
    "runner_id",
    "host_id",
    "workspace",
    "git_branch",
    "reasoning_effort",
    "external_session_id",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Whose list it is. `sees_all` skips grants: the one local user, administrators and auditors; these only
    read, whatever they have been granted.
    """

    user_id: str
    sees_all: bool
    shows_level: bool
    runner_id: str = ""
    is_auditor: bool = False

    @property
    def level_of_all(self) -> int:
        """What somebody holds on every session who sees all of them."""
        return READ_LEVEL if self.is_auditor else OWNER_LEVEL


@dataclass(slots=True)
class Beside:
    """What other tables say of a session; `seen` is the viewer's (last seen, unread)."""

    waiting: int = 0
    comments: int = 0
    commented_at: int | None = None
    seen: tuple[int, bool] | None = None


def with_columns(rows: Any, *, shows_level: bool) -> Any:  # the manager's queryset class is not generic
    """The columns of `PLAIN` and `COMPUTED`, with a slot `user`."""
    grants = Grant.objects.filter(session=OuterRef("pk")).order_by()
    owner = grants.filter(level=OWNER_LEVEL).values("user_id")[:1]
    # Sub-agents are shared by way of their root.
    level = Coalesce(_best_level("pk"), _best_level("root_id")) if shows_level else None
    return rows.annotate(
        created=Epoch("created_at"),
        updated=Epoch("updated_at"),
        label_pairs=labels_as_json(),
        busy_child=has_busy_child(),
        under_way=has_message_under_way(),
        owner=Subquery(owner),
        level=level or Value(None, IntegerField()),
    ).values_list(*PLAIN, *COMPUTED)


def _best_level(key: str) -> Subquery:
    grants = Grant.objects.filter(session=OuterRef(key)).order_by()
    own = (grants.filter(user_id=Slot("user")) | grants.filter(user_id=PUBLIC_USER)).values("session")
    return Subquery(own.annotate(best=Max("level")).values("best"))


def present(row: Row, viewer: Viewer, beside: Beside) -> dict[str, Any]:
    """A row without its nulls; a session that waits for sub-agents counts as running."""
    session = dict(zip((*PLAIN, *COMPUTED), row, strict=True))
    shown: dict[str, Any] = {
        "id": session["public_id"],
        "agent_id": session["agent__public_id"],
        "agent_name": session["agent__name"],
        "status": _status(session),
        "created_at": session["created"],
        "updated_at": session["updated"],
        "labels": shown_labels(session["label_pairs"], viewer.user_id),
        "archived": bool(session["archived"]),
        "pending_elicitations_count": beside.waiting,
        "comments_count": beside.comments,
    }
    shown.update({name: session[name] for name in OPTIONAL if session[name]})
    if session["parent__public_id"]:
        shown["parent_session_id"] = session["parent__public_id"]
    if session["project__public_id"] and session["project__owner"] == viewer.user_id:
        shown["project_id"] = session["project__public_id"]
    if session["owner"]:
        shown["owner"] = session["owner"]
    if beside.commented_at is not None:
        shown["comments_updated_at"] = beside.commented_at
    if beside.seen is not None:
        shown["viewer_last_seen"], shown["viewer_unread"] = beside.seen
    if viewer.shows_level:
        shown["permission_level"] = viewer.level_of_all if viewer.sees_all else session["level"]
    return shown


def _status(session: dict[str, Any]) -> str:
    status: str = session["status"]
    is_busy = status == Status.WAITING or session["busy_child"]
    if is_busy or (status == Status.IDLE and session["under_way"]):
        return Status.RUNNING.value
    return status


_BESIDE = """
WITH RECURSIVE tree(top, id) AS (
  SELECT id, id FROM sessions_app_session WHERE id IN ({marks})
  UNION ALL
  SELECT tree.top, child.id FROM sessions_app_session child JOIN tree ON child.parent_id = tree.id
)
SELECT 'waiting', tree.top, COUNT(*), 0 FROM tree
JOIN sessions_app_elicitation elicitation
  ON elicitation.session_id = tree.id AND elicitation.status = 'pending'
GROUP BY tree.top
UNION ALL
SELECT 'comments', session_id, COUNT(*), {microseconds} FROM sessions_app_comment
WHERE session_id IN ({marks}) GROUP BY session_id
UNION ALL
SELECT 'seen', session_id, last_seen, CASE WHEN unread THEN 1 ELSE 0 END FROM sessions_app_readstate
WHERE session_id IN ({marks}) AND user_id = %s
"""
_MICROSECONDS = {
    "sqlite": "CAST(strftime('%%s', MAX(updated_at)) AS INTEGER) * 1000000 "
    "+ CAST(substr(MAX(updated_at), 21, 6) AS INTEGER)",
    "postgresql": "(EXTRACT(EPOCH FROM MAX(updated_at)) * 1000000)::bigint",
}


def beside(session_ids: Sequence[int], user_id: str) -> dict[int, Beside]:
    """Questions that wait in each session or below it, its comments, and how far a person has read it."""
    found = {pk: Beside() for pk in session_ids}
    if not found:
        return found
    marks = ", ".join(["%s"] * len(session_ids))
    text = _BESIDE.format(marks=marks, microseconds=_MICROSECONDS[connection.vendor])
    for kind, pk, first, second in query(text, [*session_ids, *session_ids, *session_ids, user_id]):
        if kind == "waiting":
            found[pk].waiting = first
        elif kind == "comments":
            found[pk].comments, found[pk].commented_at = first, second
        else:
            found[pk].seen = first, bool(second)
    return found


def waiting_counts(session_ids: Sequence[int]) -> dict[int, int]:
    """How many questions wait for a person in each session or below it."""
    return {pk: counts.waiting for pk, counts in beside(session_ids, "").items()}

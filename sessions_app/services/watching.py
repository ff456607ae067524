"""What connections that watch many sessions read from the database: rows in bulk, and whom news is for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import F

from omnigent.accounts.identity import Principal, recognise
from sessions_app.expressions import Among
from sessions_app.models import Grant, Host, Project, ProjectOrder, Session, TunnelKind
from sessions_app.querysets import PUBLIC_USER
from sessions_app.search.finding import id_list
from sessions_app.services import presence
from sessions_app.services.access import is_single_user
from sessions_app.session_rows import Beside, Viewer, beside, present, with_columns
from sessions_app.statements import Row, Slot, Statement, compiled, kept, query

FIELDS = (
    "id",
    "agent_id",
    "agent_name",
    "status",
    "created_at",
    "updated_at",
    "title",
    "labels",
    "runner_id",
    "runner_online",
    "host_id",
    "host_online",
    "workspace",
    "git_branch",
    "reasoning_effort",
    "external_session_id",
    "parent_session_id",
    "project_id",
    "permission_level",
    "owner",
    "archived",
    "pending_elicitations_count",
    "comments_count",
    "comments_updated_at",
    "viewer_last_seen",
    "viewer_unread",
)
"""The members of a row, which are all there, null when they say nothing."""

MAX_NEW = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as one viewer sees it: what was read, to compare the next read with, and its JSON."""

    read: tuple[Row, Beside]
    json: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What a viewer sees: the sessions that ids stand for, readable or not, and the readable rows by key."""

    keys: Mapping[str, int]
    rows: Mapping[int, Shown]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Sessions whose rows may have changed, and people to whom others may be new, by session."""

    changed: Collection[int]
    people: Mapping[int, Collection[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What else a person's client lists: only ever compared."""

    hosts: tuple[object, ...] = ()
    projects: tuple[object, ...] = ()


def viewer_of(principal: Principal) -> Viewer:
    """The caller as lists know them."""
    single = is_single_user()
    return Viewer(
        user_id=principal.user_id,
        sees_all=single or principal.sees_everything,
        shows_level=not single,
        runner_id=principal.runner_id or "",
        is_auditor=principal.is_auditor,
    )


def is_still(principal: Principal, viewer: Viewer) -> bool:
    """Whether the caller of a long connection is let in now as the same viewer as then."""
    current = recognise(principal)
    return current is not None and viewer_of(current) == viewer


def look(viewer: Viewer, keys: Sequence[int], ids: Sequence[str], known: Mapping[int, Shown]) -> Look:
    """Read sessions by key and by public id in three statements. A row that is as in `known` is that one."""
    named: dict[str, int] = {}
    if ids:
        named = dict(Session.objects.filter(public_id__in=ids).values_list("public_id", "pk"))
    wanted = list({*keys, *named.values()})
    if not wanted:
        return Look(keys=named, rows={})
    found = _statement(_whose(viewer), viewer.shows_level).rows(
        keys=id_list(wanted), user=viewer.user_id, runner=viewer.runner_id
    )
    counts = beside([row[0] for row in found], viewer.user_id)
    rows: dict[int, Shown] = {}
    for row in found:
        pk, read = row[0], (row, counts[row[0]])
        before = known.get(pk)
        rows[pk] = before if before is not None and before.read == read else _shown(viewer, *read)
    return Look(keys=named, rows=rows)


def _shown(viewer: Viewer, row: Row, counts: Beside) -> Shown:
    full = {**dict.fromkeys(FIELDS), **present(row, viewer, counts)}
    return Shown((row, counts), orjson.dumps(full))


def _whose(viewer: Viewer) -> str:
    if viewer.runner_id:
        return "bound"
    return "all" if viewer.sees_all else "granted"


@kept
def _statement(whose: str, shows_level: bool) -> Statement:  # noqa: FBT001 - part of a shape
    rows: Any = Session.objects.listable().filter(Among(F("pk"), Slot("keys"), type_="bigint"))
    if whose == "bound":
        rows = rows.run_by(Slot("runner"))
    elif whose == "granted":
        rows = rows.visible_to(Slot("user"))
    return compiled(with_columns(rows, shows_level=shows_level))


_ABOVE = """
WITH RECURSIVE above(id, parent_id) AS (
  SELECT id, parent_id FROM sessions_app_session WHERE id IN ({marks})
  UNION
  SELECT parent.id, parent.parent_id FROM sessions_app_session parent
  JOIN above ON parent.id = above.parent_id
)
SELECT id FROM above
"""


def reach(changed: Collection[int], shown: Collection[int], users: Collection[str]) -> Reach:
    """Whom changes concern: rows above show what happens below; of `users`, who may read what is `shown`."""
    concerned = set(changed)
    if changed:
        marks = ", ".join(["%s"] * len(changed))
        concerned.update(pk for (pk,) in query(_ABOVE.format(marks=marks), [*changed]))
    people: dict[int, set[str]] = {}
    if shown:
        roots = dict(Session.objects.filter(pk__in=shown).values_list("pk", "root_id"))
        within = {*roots, *(root for root in roots.values() if root is not None)}
        grants = Grant.objects.filter(session__in=within, user_id__in={*users, PUBLIC_USER})
        holders: dict[int, set[str]] = {}
        for pk, user_id in grants.values_list("session_id", "user_id"):
            holders.setdefault(pk, set()).add(user_id)
        for pk, root in roots.items():
            people[pk] = holders.get(pk, set()) | (holders.get(root, set()) if root is not None else set())
    return Reach(changed=concerned, people=people)


def newest() -> int:
    """The key of the session that was made last; 0 for none."""
    return Session.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def made_after(pk: int) -> list[int]:
    """Sessions made since, oldest first, some of them when there are very many."""
    return list(Session.objects.filter(pk__gt=pk).order_by("pk").values_list("pk", flat=True)[:MAX_NEW])


def surroundings(users: Iterable[str]) -> dict[str, Surroundings]:
    """What people's clients list beside sessions, in four statements for all of them."""
    owners = list(users)
    hosts: dict[str, list[object]] = {owner: [] for owner in owners}
    projects: dict[str, list[object]] = {owner: [] for owner in owners}
    rows = list(
        Host.objects.filter(owner__in=owners)
        .order_by("pk")
        .values_list("owner", "public_id", "name", "version", "configured_harnesses", "gateway_inference")
    )
    online = presence.online(TunnelKind.HOST, [row[1] for row in rows])
    for row in rows:
        hosts[row[0]].append((row, row[1] in online))
    listed = Project.objects.filter(owner__in=owners).order_by("pk")
    for project in listed.values_list("owner", "public_id", "name", "updated_at"):
        projects[project[0]].append(project)
    for order in ProjectOrder.objects.filter(owner__in=owners).values_list(
        "owner", "sort_mode", "project_ids"
    ):
        projects[order[0]].append(order)
    return {
        owner: Surroundings(hosts=tuple(hosts[owner]), projects=tuple(projects[owner])) for owner in owners
    }

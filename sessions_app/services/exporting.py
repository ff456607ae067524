"""What an export holds: planned in one go, then read chunk by chunk, each with a few statements.

Between two chunks nothing is held: neither a thread nor a transaction. Items are append-only, so those that
were there when the export was planned are read as they were.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.files.storage import default_storage
from django.db.models import Count

from agents_app.storage import bundle_name
from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from policies_app.services import carried, decision_pages
from policies_app.services.carried import Span
from sessions_app.models import Comment, File, Session, SessionLabel, SessionPolicy
from sessions_app.portable import layout
from sessions_app.services import access, rules
from sessions_app.services.access import Level
from sessions_app.services.sessions import with_descendants

COLUMNS = (
    "pk",
    "public_id",
    "parent_id",
    "root__public_id",
    "runner_id",
    "agent_id",
    "agent__public_id",
    "agent__name",
    "agent__digest",
    "agent__is_builtin",
    "sub_agent_name",
    "title",
    "auto_title",
    "archived",
    "reasoning_effort",
    "model_override",
    "harness_override",
    "terminal_launch_args",
    "usage_by_model",
    "context_tokens",
    "context_window",
    "policy_cost_usd",
    "reported_model",
    "position",
    "created_at",
    "updated_at",
)
FILE_COLUMNS = (
    "pk",
    "public_id",
    "session_id",
    "filename",
    "content_type",
    "blob_id",
    "blob__size",
    "created_at",
    "created_by",
)
SLICE = 1000
"""So many keys go into one statement."""

Key = TypeVar("Key", int, str)
Columns = Mapping[str, Any]  # a row by its columns


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSession:
    """A session of the tree: its number, its columns, its labels, how many items stand before its own."""

    number: int
    columns: Columns
    labels: Mapping[str, str]
    before: int

    @property
    def pk(self) -> int:
        """The key of its row."""
        return int(self.columns["pk"])

    @property
    def items(self) -> int:
        """How many items it had when the export was planned."""
        return int(self.columns["position"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """The stored bundle of an agent that is not the operator's; no size when it is lost."""

    digest: str
    size: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A session with its sub-agents, those of the upper levels first, as they were made.

    `agents` are columns of the first session that has each; `comments` and `policies` count them by session.
    `decisions` is None for a caller who may not read them.
    """

    session_id: str
    sessions: Sequence[PlannedSession]
    agents: Sequence[Columns]
    bundles: Mapping[int, Bundle]
    files: Sequence[Columns]
    comments: Mapping[int, int]
    policies: Mapping[int, int]
    decisions: Span | None

    @property
    def item_count(self) -> int:
        """All items of all sessions."""
        return self.sessions[-1].before + self.sessions[-1].items


def plan(principal: Principal, session_id: str, *, with_children: bool) -> Plan:
    """Look what there is to export. Raises 404 and 403 as every read, 413 for a tree that is too large."""
    found = access.require(principal, session_id, Level.READ)
    pks = with_descendants(found.pk) if with_children else [found.pk]
    if len(pks) > layout.MAX_SESSIONS:
        raise _too_large(f"more than {layout.MAX_SESSIONS} sessions")
    rows = _in_order(found.pk, _rows(pks), principal)
    if not rows:
        raise access.not_found()
    pks = [row["pk"] for row in rows]
    labels = _labels(pks)
    sessions: list[PlannedSession] = []
    before = 0
    for number, row in enumerate(rows, start=1):
        planned = PlannedSession(number=number, columns=row, labels=labels.get(row["pk"], {}), before=before)
        sessions.append(planned)
        before += planned.items
    agents = {row["agent_id"]: row for row in reversed(rows) if row["agent_id"] is not None}
    root_id = rows[0]["root__public_id"] or found.public_id
    order = dict.fromkeys(row["agent_id"] for row in rows if row["agent_id"] is not None)
    return Plan(
        session_id=found.public_id,
        sessions=sessions,
        agents=[agents[pk] for pk in order],
        bundles=_bundles(agents),
        files=_files({session.pk: session.number for session in sessions}),
        comments=_counted(Comment, pks),
        policies=_policies(pks),
        decisions=carried.span(root_id) if decision_pages.may_read(principal) else None,
    )


def _too_large(what: str) -> OmnigentError:
    return OmnigentError(ErrorCode.PAYLOAD_TOO_LARGE, f"The export would hold {what}")


def slices(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Keys, as many together as one statement takes."""
    for start in range(0, len(keys), SLICE):
        yield keys[start : start + SLICE]


def _rows(pks: Sequence[int]) -> list[Columns]:
    return [
        row for part in slices(pks) for row in Session.objects.filter(pk__in=part).values(*COLUMNS).order_by()
    ]


def _in_order(root: int, rows: Sequence[Columns], principal: Principal) -> list[Columns]:
    """Level by level, each in the order of its making. A runner gets the sessions that are bound to it."""
    below: dict[int | None, list[Columns]] = {}
    for row in rows:
        if principal.kind != "runner" or row["runner_id"] == principal.runner_id:
            below.setdefault(None if row["pk"] == root else row["parent_id"], []).append(row)
    ordered: list[Columns] = []
    level = below.get(None, [])
    while level:
        ordered += level
        level = sorted(
            (child for row in level for child in below.get(row["pk"], ())), key=lambda child: child["pk"]
        )
    return ordered


def _labels(pks: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for part in slices(pks):
        labels = SessionLabel.objects.filter(session__in=part).values_list("session_id", "key", "value")
        for pk, key, value in labels:
            if is_portable(key):
                found.setdefault(pk, {})[key] = value
    return found


def is_portable(label: str) -> bool:
    """Whether a label goes along: as into a fork, but not what only a session's own runner may say of it."""
    return rules.is_forked(label) and label != rules.PIN and not label.startswith(rules.RUNNER_PREFIX)


def _bundles(agents: Mapping[int, Columns]) -> dict[int, Bundle]:
    found: dict[int, Bundle] = {}
    for pk, row in agents.items():
        if row["agent__is_builtin"]:
            continue
        try:
            size: int | None = default_storage.size(bundle_name(row["agent__digest"]))
        except FileNotFoundError:
            size = None
        found[pk] = Bundle(digest=row["agent__digest"], size=size)
    return found


def _files(numbers: Mapping[int, int]) -> list[Columns]:
    found: list[Columns] = []
    for part in slices(list(numbers)):
        rows = File.objects.filter(session__in=part).values(*FILE_COLUMNS).order_by()
        found += rows[: layout.MAX_FILES + 1]
        if len(found) > layout.MAX_FILES:
            raise _too_large(f"more than {layout.MAX_FILES} files")
    return sorted(found, key=lambda row: (numbers[row["session_id"]], row["pk"]))


def _policies(pks: Sequence[int]) -> dict[int, int]:
    found = _counted(SessionPolicy, pks)
    if sum(found.values()) > layout.MAX_POLICIES:
        raise _too_large(f"more than {layout.MAX_POLICIES} policies")
    return found


def _counted(model: type[Comment] | type[SessionPolicy], pks: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in slices(pks):
        counted = model.objects.filter(session__in=part).order_by().values("session_id")
        found.update(counted.annotate(number=Count("pk")).values_list("session_id", "number"))
    return found

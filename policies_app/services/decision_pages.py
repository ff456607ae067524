"""Reading the decision log, or what was imported of others: page by page, or all that matches, oldest first,
in pieces of bounded size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from django.db.models import Max, Model, QuerySet
from pydantic import Field

from omnigent.accounts.principal import Principal
from omnigent.api.pagination import Keyset, PageQuery, cut, envelope
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import DECISION, SESSION, canonical
from policies_app.models import Decision, ImportedDecision
from policies_app.services import chain
from policies_app.services.verification import SELECTED

EXPORT_ROWS = 250
LAST_EPOCH = 253_402_300_799
Phase = Literal["request", "tool_call", "tool_result", "response", "llm_request", "llm_response"]


class DecisionQuery(PageQuery):
    """Which decisions: `since` and `until` in epoch seconds, the first included, the second not. `cursor` is
    the `next_cursor` of the page before, or any decision's id. An export is everything that matches, the
    oldest first, whatever `limit` and `order` are. With `imported` it is decisions of other logs, that came
    with sessions, instead of this server's own.
    """

    cursor: str | None = None
    session_id: str | None = None
    root: str | None = None
    actor: str | None = None
    verdict: Literal["allow", "deny", "ask"] | None = None
    phase: Phase | None = None
    policy_id: str | None = None
    since: float | None = Field(default=None, ge=0, le=LAST_EPOCH, allow_inf_nan=False)
    until: float | None = Field(default=None, ge=0, le=LAST_EPOCH, allow_inf_nan=False)
    imported: bool = False
    format: Literal["json", "ndjson"] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an export; `after` is None when it is the last."""

    text: bytes
    after: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where decisions are listed from: `columns` begin with the order's own and the public id."""

    model: type[Model]
    order: Keyset
    columns: Sequence[Any]
    line: Callable[[Sequence[Any]], str]

    @property
    def rows(self) -> QuerySet[Any]:
        """All of them."""
        return self.model._default_manager.all()

    @property
    def counter(self) -> str:
        """The column that grows with every row."""
        return self.order.columns[0]


def may_read(principal: Principal) -> bool:
    """Whether the caller may read decisions: administrators and auditors may."""
    return principal.kind == "user" and principal.sees_everything


def require_reader(principal: Principal) -> None:
    """Raise FORBIDDEN for anybody but administrators and auditors."""
    if not may_read(principal):
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only administrators and auditors read decisions")


def page_of(asked: DecisionQuery) -> bytes:
    """A page as JSON text."""
    source = _source(asked)
    page = asked.model_copy(update={"after": asked.cursor or asked.after}).page(DECISION)
    positions = source.order.positions(source.rows, page)
    found = source.order.apply(_matching(asked, source), page, positions).values_list(*source.columns)
    rows, has_more = cut(list(found), page)
    lines = [orjson.Fragment(source.line(row)) for row in rows]
    ids = [row[1] for row in rows]
    next_cursor = ids[-1] if has_more else None
    return orjson.dumps({**envelope(lines, ids, has_more=has_more), "next_cursor": next_cursor})


def export_range(asked: DecisionQuery) -> tuple[int, int]:
    """After which row an export begins, and the last row that it may have: those that come later wait."""
    source = _source(asked)
    last = source.rows.aggregate(last=Max(source.counter))["last"] or 0
    if not (asked.cursor or asked.after):
        return 0, last
    page = asked.model_copy(update={"after": asked.cursor or asked.after, "before": None}).page(DECISION)
    positions = source.order.positions(source.rows, page)
    return int(positions[str(page.after)][0]), last


def export_piece(asked: DecisionQuery, *, after: int, last: int) -> Piece:
    """The next rows as lines of JSON."""
    source = _source(asked)
    part = {f"{source.counter}__gt": after, f"{source.counter}__lte": last}
    wanted = _matching(asked, source).filter(**part).order_by(source.counter)
    rows: list[tuple[Any, ...]] = list(wanted.values_list(*source.columns)[:EXPORT_ROWS])
    lines = "".join(f"{source.line(row)}\n" for row in rows)
    return Piece(lines.encode(), rows[-1][0] if len(rows) == EXPORT_ROWS else None)


def _own_line(row: Sequence[Any]) -> str:
    return chain.row_text(row, with_hash=True)


def _imported_line(row: Sequence[Any]) -> str:
    _, public_id, session_id, root_session_id, origin, imported_at, imported_by, text = row
    shown = {
        "id": public_id,
        "object": "imported_decision",
        "session_id": session_id,
        "root_session_id": root_session_id,
        "origin": origin,
        "imported_at": imported_at.timestamp(),
        "imported_by": imported_by,
        "decision": orjson.Fragment(text),
    }
    return orjson.dumps(shown).decode()


OWN = Source(
    model=Decision,
    order=Keyset(id_column="decision_id", columns=("seq",)),
    columns=SELECTED,
    line=_own_line,
)
IMPORTED = Source(
    model=ImportedDecision,
    order=Keyset(id_column="imported_id", columns=("id",)),
    columns=(
        "id",
        "imported_id",
        "session_id",
        "root_session_id",
        "origin",
        "imported_at",
        "imported_by",
        "text",
    ),
    line=_imported_line,
)


def _source(asked: DecisionQuery) -> Source:
    return IMPORTED if asked.imported else OWN


def _matching(asked: DecisionQuery, source: Source) -> QuerySet[Any]:
    wanted: dict[str, Any] = {
        "session_id": _session(asked.session_id),
        "root_session_id": _session(asked.root),
        "actor": asked.actor,
        "verdict": asked.verdict,
        "phase": asked.phase,
        "policy_id": asked.policy_id,
        "created_at__gte": _moment(asked.since),
        "created_at__lt": _moment(asked.until),
    }
    return source.rows.filter(**{name: value for name, value in wanted.items() if value is not None})


def _session(text: str | None) -> str | None:
    """Text that cannot be an id names no session, and so matches nothing."""
    return text if text is None else canonical(SESSION, text) or "?"


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, tz=UTC)

"""Reading the decision log: page by page, or all that matches, oldest first, in pieces of bounded size."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from django.db.models import Max, QuerySet
from pydantic import Field

from omnigent.accounts.principal import Principal
from omnigent.api.pagination import Keyset, PageQuery, cut, envelope
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import DECISION, SESSION, canonical
from policies_app.models import Decision
from policies_app.services import chain
from policies_app.services.verification import SELECTED

ORDER = Keyset(id_column="decision_id", columns=("seq",))
EXPORT_ROWS = 250
LAST_EPOCH = 253_402_300_799
Phase = Literal["request", "tool_call", "tool_result", "response", "llm_request", "llm_response"]


class DecisionQuery(PageQuery):
    """Which decisions: `since` and `until` in epoch seconds, the first included, the second not. `cursor` is
    the `next_cursor` of the page before, or any decision's id. An export is everything that matches, the
    oldest first, whatever `limit` and `order` are.
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
    format: Literal["json", "ndjson"] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an export; `after` is None when it is the last."""

    text: bytes
    after: int | None


def require_reader(principal: Principal) -> None:
    """Raise FORBIDDEN for anybody but administrators and auditors."""
    if principal.kind != "user" or not principal.sees_everything:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only administrators and auditors read decisions")


def page_of(asked: DecisionQuery) -> bytes:
    """A page as JSON text."""
    page = asked.model_copy(update={"after": asked.cursor or asked.after}).page(DECISION)
    positions = ORDER.positions(Decision.objects.all(), page)
    found = ORDER.apply(_matching(asked), page, positions).values_list(*SELECTED)
    rows, has_more = cut(list(found), page)
    lines = [orjson.Fragment(chain.row_text(row, with_hash=True)) for row in rows]
    ids = [row[1] for row in rows]
    next_cursor = ids[-1] if has_more else None
    return orjson.dumps({**envelope(lines, ids, has_more=has_more), "next_cursor": next_cursor})


def export_range(asked: DecisionQuery) -> tuple[int, int]:
    """After which row an export begins, and the last row that it may have: those that come later wait."""
    last = Decision.objects.aggregate(last=Max("seq"))["last"] or 0
    if not (asked.cursor or asked.after):
        return 0, last
    page = asked.model_copy(update={"after": asked.cursor or asked.after, "before": None}).page(DECISION)
    positions = ORDER.positions(Decision.objects.all(), page)
    return int(positions[str(page.after)][0]), last


def export_piece(asked: DecisionQuery, *, after: int, last: int) -> Piece:
    """The next rows as lines of JSON."""
    wanted = _matching(asked).filter(seq__gt=after, seq__lte=last).order_by("seq")
    rows: list[tuple[Any, ...]] = list(wanted.values_list(*SELECTED)[:EXPORT_ROWS])
    lines = "".join(f"{chain.row_text(row, with_hash=True)}\n" for row in rows)
    return Piece(lines.encode(), rows[-1][0] if len(rows) == EXPORT_ROWS else None)


def _matching(asked: DecisionQuery) -> QuerySet[Decision]:
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
    return Decision.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


def _session(text: str | None) -> str | None:
    """Text that cannot be an id names no session, and so matches nothing."""
    return text if text is None else canonical(SESSION, text) or "?"


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, tz=UTC)

"""The decision log: appending to it, and forgetting its beginning."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from omnigent.ids import DECISION, mint
from policies_app.models import Decision, DecisionHead, Level, VerdictName
from policies_app.services import carried, chain

logger = logging.getLogger(__name__)

INSERT_ROWS = 400
"""So many rows share a statement."""
PRUNE_ROWS = 5000
"""So many are forgotten in one transaction, which holds up whoever wants to append."""
MAX_REASON = 4096
HEAD = ("seq", "hash", "floor_seq", "floor_hash", "seal")
HEAD_TABLE = DecisionHead._meta.db_table
LENGTHS: Mapping[str, int] = {
    field.name: field.max_length for field in Decision._meta.concrete_fields if field.max_length is not None
}


def new_decision_id() -> str:
    """A fresh public id."""
    return mint(DECISION)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDecision:
    """One evaluation to be logged; the columns of Decision. Text that is too long is cut."""

    phase: str
    verdict: VerdictName | str
    input_digest: str
    input: Any = None  # any JSON value, redacted
    decision_id: str = field(default_factory=new_decision_id)
    created_at: datetime = field(default_factory=timezone.now)
    session_id: str = ""
    root_session_id: str = ""
    agent_id: str = ""
    actor: str = ""
    target: str = ""
    reason: str = ""
    policy_id: str = ""
    policy_name: str = ""
    policy_version: int | None = None
    level: Level | str = Level.NONE
    shadow: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[Mapping[str, Any]] = ()
    elicitation_id: str = ""
    latency_us: int = 0


def append(rows: Sequence[NewDecision]) -> None:
    """Append rows inside the caller's transaction, which holds the log's end until it is over.

    Three statements for up to 400 rows. A head that this server has not sealed is never sealed again, so
    that what somebody did to it stays visible.
    """
    if not rows:
        return
    head = _locked_head()
    is_sealed = chain.is_sealed(head)
    if not is_sealed:
        logger.error("decision_log_seal_broken", extra={"seq": head.seq})
    values: list[tuple[Any, ...]] = []
    for new in rows:
        row = _row(new, seq=head.seq + 1, prev_hash=head.hash)
        head.seq, head.hash = row[0], row[-1]
        values.append(row)
    _insert(values)
    _save(head, is_sealed=is_sealed)


def prune(before: datetime) -> int:
    """Forget the rows up to the first one that is not older, and what was imported before; returns how many.
    A broken log is left alone.
    """
    removed = carried.prune(before)
    while taken := _prune_some(before):
        removed += taken
    if removed:
        logger.info("decisions_pruned", extra={"rows": removed})
    return removed


def _prune_some(before: datetime) -> int:
    with transaction.atomic():
        if not Decision.objects.filter(created_at__lt=before).exists():
            return 0
        head = _locked_head()
        if not chain.is_sealed(head):
            logger.error("decisions_not_pruned", extra={"reason": "the seal is broken"})
            return 0
        young = Decision.objects.filter(created_at__gte=before).order_by("seq")
        first_young = young.values_list("seq", flat=True).first()
        last = min((first_young or head.seq + 1) - 1, head.floor_seq + PRUNE_ROWS)
        cut = Decision.objects.filter(seq=last).values_list("hash", flat=True).first()
        if last <= head.floor_seq or cut is None:
            return 0
        removed, _ = Decision.objects.filter(seq__lte=last).delete()
        head.floor_seq, head.floor_hash = last, cut
        _save(head, is_sealed=True)
    return removed


def _locked_head() -> DecisionHead:
    """By hand, as is what follows: compiling costs more than the statements, and every action pays for it."""
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(HEAD)} FROM {HEAD_TABLE} WHERE id = 1{lock}")
        row = cursor.fetchone()
    if row is not None:
        return DecisionHead(pk=1, **dict(zip(HEAD, row, strict=True)))
    DecisionHead.objects.bulk_create([_first_head()], ignore_conflicts=True)
    return DecisionHead.objects.select_for_update().get(pk=1)


def _first_head() -> DecisionHead:
    """Where a new log begins. Rows without a head are a log that somebody broke: it gets no seal."""
    last = Decision.objects.order_by("-seq").values_list("seq", "hash").first()
    if last is not None:
        logger.error("decision_log_head_missing", extra={"seq": last[0]})
        return DecisionHead(pk=1, seq=last[0], hash=last[1], floor_hash=chain.GENESIS)
    head = DecisionHead(pk=1, hash=chain.GENESIS, floor_hash=chain.GENESIS)
    head.seal = chain.seal_of(head)
    return head


def _save(head: DecisionHead, *, is_sealed: bool) -> None:
    head.seal = chain.seal_of(head) if is_sealed else ""
    columns = ", ".join(f"{name} = %s" for name in HEAD)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {HEAD_TABLE} SET {columns} WHERE id = 1", [getattr(head, name) for name in HEAD]
        )


def _row(new: NewDecision, *, seq: int, prev_hash: str) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "seq": seq,
        "created_at": new.created_at,
        "policy_version": new.policy_version,
        "latency_us": max(0, new.latency_us),
        "shadow": chain.json_text(list(new.shadow)),
        "steps": chain.json_text(list(new.steps)),
        "input": None if new.input is None else chain.json_text(new.input),
        "prev_hash": prev_hash,
        "hash": "",
    }
    row = [values[name] if name in values else _text(name, getattr(new, name)) for name in chain.COLUMNS]
    return (*row[:-1], chain.hash_of(row))


def _text(name: str, value: object) -> str:
    """Text that every database can keep: whole characters, no NUL, no longer than its column."""
    text = str(value).replace("\0", "").encode(errors="replace").decode()
    return text[: LENGTHS.get(name, MAX_REASON)]


def _insert(rows: Sequence[tuple[Any, ...]]) -> None:
    at = chain.COLUMNS.index("created_at")
    with connection.cursor() as cursor:
        for start in range(0, len(rows), INSERT_ROWS):
            part = rows[start : start + INSERT_ROWS]
            params: list[Any] = []
            for row in part:
                stamp = connection.ops.adapt_datetimefield_value(row[at])
                params += (*row[:at], stamp, *row[at + 1 :])
            cursor.execute(_insert_text(connection.vendor, len(part)), params)


@lru_cache(maxsize=INSERT_ROWS)
def _insert_text(vendor: str, size: int) -> str:
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in chain.COLUMNS)
    row = f"({', '.join(['%s'] * len(chain.COLUMNS))})"
    return f"INSERT INTO {quote(Decision._meta.db_table)} ({names}) VALUES {', '.join([row] * size)}"

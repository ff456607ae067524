"""What an evaluation leaves behind, committed by the writer: state, labels, a question, and the decision."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from omnigent.policies.types import StateUpdate
from omnigent.protocol import events
from policies_app.services import decisions
from policies_app.services.decisions import NewDecision
from sessions_app.models import Session
from sessions_app.services import rows, sessions
from sessions_app.services.access import not_found
from sessions_app.services.durability import durable_transaction
from sessions_app.services.policing import held, spending_agreed
from sessions_app.services.policing.facts import Facts, Remembered
from sessions_app.services.posting import ATTEMPTS, TROUBLES
from sessions_app.services.tick import Tick
from sessions_app.statements import query

logger = logging.getLogger(__name__)

MAX_STATE = 1024 * 1024
"""Bytes of what policies may remember of one session."""


class Conflict(Exception):
    """Somebody else has changed what the evaluation was based on: it has to be made again."""


@dataclass(kw_only=True, slots=True)
class Record:
    """One evaluation on its way into the database. `outcome` belongs to the loop that waits for it.

    `state` and `root_state` are whole, as text, and None when they stay as they are. `agreed` are updates of
    what the owner has agreed to spend. `denied` is shown in the session; `question` parks the action, and
    `verdict` ends one that was parked.
    """

    facts: Facts
    decision: NewDecision
    outcome: "asyncio.Future[int | None]"
    state: str | None = None
    root_state: str | None = None
    agreed: Sequence[StateUpdate] = ()
    labels: Mapping[str, str] | None = None
    denied: events.PolicyDenied | None = None
    question: held.Question | None = None
    settled: held.Settlement | None = None
    silenced: Mapping[str, str] | None = None
    held_pk: int | None = None
    error: BaseException | None = None

    @property
    def is_awaited(self) -> bool:
        """Nothing happens before it is recorded."""
        return True

    @property
    def is_shown(self) -> bool:
        """Whether the session's clients see something of it."""
        return bool(self.labels or self.denied or self.question or self.settled)

    def settle(self, error: BaseException | None) -> None:
        """Tell the evaluation: the key of the held action, or the error."""
        if self.outcome.done():
            return
        if error is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(self.held_pk)


def commit(records: Sequence[Record]) -> None:
    """Commit all of them with one transaction; each has its error afterwards, or none.

    The database's own troubles are tried again. When anything else goes wrong each is committed by itself.
    """
    try:
        _persist(records)
    except TROUBLES as error:
        logger.exception("decisions_failed", extra={"records": len(records)})
        _fail(records, error)
    except Exception as error:
        if len(records) == 1:
            logger.exception("decision_failed", extra={"session": records[0].facts.public_id})
            _fail(records, error)
            return
        logger.warning("decisions_taken_apart", extra={"records": len(records)}, exc_info=True)
        for record in records:
            commit([record])


def _fail(records: Iterable[Record], error: BaseException) -> None:
    for record in records:
        record.error = error


def _persist(records: Sequence[Record]) -> None:
    for attempt in range(ATTEMPTS):
        try:
            with durable_transaction():
                _write(records, timezone.now())
            return
        except TROUBLES:
            if attempt + 1 == ATTEMPTS:
                raise
            logger.warning("decisions_repeated", extra={"records": len(records)}, exc_info=True)
            connection.close_if_unusable_or_obsolete()


def _write(records: Sequence[Record], now: datetime) -> None:
    wanted = {record.facts.pk for record in records if record.is_shown}
    tick = Tick(rows.lock(wanted, wanted), now, wanted) if wanted else None
    decided: list[NewDecision] = []
    for record in records:
        record.error = record.held_pk = None
        try:
            with transaction.atomic(savepoint=record.root_state is not None):
                _write_one(record, tick, now)
        except Conflict as conflict:
            record.error = conflict
        else:
            decided.append(record.decision)
    decisions.append(decided)
    if tick is not None:
        tick.flush()


def _write_one(record: Record, tick: Tick | None, now: datetime) -> None:
    session = tick.sessions.get(record.facts.pk) if tick is not None else None
    if record.is_shown and session is None:
        raise not_found()
    if record.root_state is not None:
        _remember(record.facts.root, record.root_state)
    if record.state is not None:
        _remember(record.facts.own, record.state)
    if record.silenced is not None:
        _silence(record.facts.pk, record.silenced)
    if record.agreed:
        spending_agreed.write(record.facts.owner, record.agreed, now)
    if tick is not None and session is not None:
        _show(record, tick, session)


def _show(record: Record, tick: Tick, session: Session) -> None:
    if record.labels:
        sessions.write_labels(session, record.labels)
        session.updated_at = tick.now
    if record.denied is not None:
        tick.append(session, record.denied)
    if record.settled is not None:
        held.settle(tick, session, record.settled)
    if record.question is not None:
        record.held_pk = held.ask(tick, session, record.question)


def text_of(state: Mapping[str, Any]) -> str:
    """A state as it is stored. Raises ValueError when it cannot be."""
    try:
        text = orjson.dumps(dict(state), option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise ValueError(f"what a policy wants to remember is no JSON: {error}") from None
    if len(text) > MAX_STATE:
        raise ValueError(f"policies remember more than {MAX_STATE} bytes")
    return text.decode()


_UPDATE = """
UPDATE sessions_app_policymemory SET state = %s, revision = revision + 1
WHERE session_id = %s AND revision = %s RETURNING session_id
"""
_INSERT = """
INSERT INTO sessions_app_policymemory (session_id, state, revision, chain_revision, silenced)
VALUES (%s, %s, 1, 0, '{}') ON CONFLICT (session_id) DO NOTHING RETURNING session_id
"""
_SILENCE = """
INSERT INTO sessions_app_policymemory (session_id, state, revision, chain_revision, silenced)
VALUES (%s, '{}', 0, 0, %s) ON CONFLICT (session_id) DO UPDATE SET silenced = excluded.silenced
"""


def _remember(known: Remembered, state: str) -> None:
    """Write a state over the one that was read. Raises Conflict when that is not the newest any more."""
    if query(_UPDATE, [state, known.pk, known.revision]):
        return
    if known.revision == 0 and query(_INSERT, [known.pk, state]):
        return
    raise Conflict


def _silence(session_pk: int, silenced: Mapping[str, str]) -> None:
    query(_SILENCE, [session_pk, orjson.dumps(dict(silenced)).decode()])

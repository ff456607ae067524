"""What the writer does with a batch: the events of all relays in one transaction, fenced by generation."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from omnigent.protocol import events
from sessions_app.events import log, publish
from sessions_app.events.writer import Unit
from sessions_app.models import Session
from sessions_app.services import ingest
from sessions_app.services.rows import lock
from sessions_app.services.tick import Tick


class Superseded(Exception):
    """A newer relay reads this session's stream; what this one still has is void."""


class IngestUnit:
    """Events of one relay, in order, and where its stream stands after them.

    `number` is the stream's own count of the last event, 0 when it does not count. `outcome` is done once
    they are committed, or carries the error.
    """

    def __init__(
        self,
        *,
        session_pk: int,
        generation: int,
        memory: ingest.Memory,
        batch: list[events.Event],
        stream: str,
        number: int,
        outcome: "asyncio.Future[None]",
    ) -> None:
        self.session_pk = session_pk
        self.generation = generation
        self.memory = memory
        self.batch = batch
        self.stream = stream
        self.number = number
        self._outcome = outcome

    @property
    def is_live_only(self) -> bool:
        """Whether all of it is text and thinking: nothing to store but the log."""
        return all(event.type in ingest.LIVE_ONLY for event in self.batch)

    def settle(self, error: BaseException | None) -> None:
        """Tell the relay."""
        if self._outcome.done():
            return
        if error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(error)


def commit(units: Sequence[Unit]) -> list[BaseException | None]:
    """Commit a batch. A superseded relay learns it; the others are not held up by it."""
    groups: dict[int, list[IngestUnit]] = {}
    for unit in units:
        if isinstance(unit, IngestUnit):
            groups.setdefault(unit.session_pk, []).append(unit)
    outcomes: dict[int, BaseException | None] = {}
    with transaction.atomic():
        now = timezone.now()
        live = {pk: group for pk, group in groups.items() if _is_live(group)}
        written = _append_live(live, now) if live else set()
        rest = {pk: group for pk, group in groups.items() if pk not in written}
        if rest:
            _apply(rest, now, outcomes)
    return [outcomes.get(id(unit)) for unit in units]


def _is_live(group: Sequence[IngestUnit]) -> bool:
    return all(unit.generation == group[0].generation and unit.is_live_only for unit in group)


def _apply(
    groups: Mapping[int, Sequence[IngestUnit]], now: datetime, outcomes: dict[int, BaseException | None]
) -> None:
    tick = Tick(lock(groups), now)
    for session_pk, group in groups.items():
        session = tick.sessions.get(session_pk)
        for unit in group:
            if session is None or session.relay_generation != unit.generation:
                outcomes[id(unit)] = Superseded()
                continue
            if unit.number:
                session.ingest_stream, session.ingest_number = unit.stream, unit.number
            ingest.apply(tick, session, unit.memory, coalesce(unit.batch))
    tick.flush()


def coalesce(batch: Sequence[events.Event]) -> list[events.Event]:
    """Consecutive text deltas of one message become one event."""
    result: list[events.Event] = []
    run: list[events.OutputTextDelta] = []
    for event in (*batch, None):
        if isinstance(event, events.OutputTextDelta) and event.message_id is None:
            run.append(event)
            continue
        if run:
            result.append(_joined(run))
            run = []
        if event is not None:
            result.append(event)
    return result


def _joined(run: Sequence[events.OutputTextDelta]) -> events.OutputTextDelta:
    if len(run) == 1:
        return run[0]
    return events.OutputTextDelta(
        delta="".join([event.delta for event in run]), sequence_number=run[-1].sequence_number
    )


@cache
def _live_text(rows: int) -> str:
    table = Session._meta.db_table
    if connection.vendor == "postgresql":
        first = "(%s::bigint, %s::bigint, %s::bigint, %s::text, %s::bigint)"
    else:
        first = "(%s, %s, %s, %s, %s)"
    values = ", ".join([first, *["(%s, %s, %s, %s, %s)"] * (rows - 1)])
    return (
        f"WITH v(id, generation, size, stream, number) AS (VALUES {values}) "
        f"UPDATE {table} SET seq = seq + v.size, open_seq = COALESCE(open_seq, seq + 1), "
        f"ingest_stream = CASE WHEN v.number > 0 THEN v.stream ELSE ingest_stream END, "
        f"ingest_number = CASE WHEN v.number > 0 THEN v.number ELSE ingest_number END "
        f"FROM v WHERE {table}.id = v.id AND relay_generation = v.generation AND NOT interrupt_fence "
        f"RETURNING {table}.id, {table}.seq"
    )


def _append_live(groups: Mapping[int, Sequence[IngestUnit]], now: datetime) -> set[int]:
    """Two statements for the deltas of any number of sessions; returns the sessions they reached."""
    batches = {
        pk: coalesce([event for unit in group for event in unit.batch]) for pk, group in groups.items()
    }
    params: list[Any] = []
    for pk in sorted(groups):
        last = groups[pk][-1]
        params += (pk, last.generation, len(batches[pk]), last.stream, last.number)
    with connection.cursor() as cursor:
        cursor.execute(_live_text(len(groups)), params)
        heads = dict(cursor.fetchall())
    entries: list[log.Entry] = []
    for pk, head in heads.items():
        batch = batches[pk]
        for seq, event in enumerate(batch, start=head - len(batch) + 1):
            entries.append(log.Entry(pk, seq, event.type, events.to_json(event)))
        groups[pk][-1].memory.text += [e.delta for e in batch if isinstance(e, events.OutputTextDelta)]
    if entries:
        log.insert(entries, now)
        transaction.on_commit(partial(publish.announce, entries))
    return set(heads)

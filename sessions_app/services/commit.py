"""What the writer does with a batch: the events of all relays in one transaction, fenced by generation."""

import dataclasses
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from omnigent.protocol import events
from sessions_app.events import log, publish
from sessions_app.events.writer import Unit
from sessions_app.models import Session
from sessions_app.services import families, ingest, posting
from sessions_app.services.durability import streamed_transaction
from sessions_app.services.memory import Mark, Memory
from sessions_app.services.policing import recording
from sessions_app.services.policing.recording import Record
from sessions_app.services.posting import ATTEMPTS, TROUBLES, PostUnit
from sessions_app.services.rows import lock
from sessions_app.services.tick import Tick
from sessions_app.statements import query

logger = logging.getLogger(__name__)


class Superseded(Exception):
    """A newer relay reads this session's stream; what this one still has is void."""


class Skipped(Exception):
    """Something before it in the same reading was not committed; the runner has to send both again."""


@dataclass(kw_only=True, slots=True)
class IngestUnit:
    """Events of one relay, in order, and where its stream stands after them.

    `number` is the stream's own count of the last event, 0 when it does not count. `report` is called once
    they are committed, or with the error.
    """

    session_pk: int
    generation: int
    memory: Memory
    batch: Sequence[events.Event]
    stream: str
    number: int
    report: Callable[[BaseException | None], None]
    error: BaseException | None = None

    @property
    def is_awaited(self) -> bool:
        """The runner goes on meanwhile."""
        return False

    @property
    def is_live_only(self) -> bool:
        """Whether all of it is text and thinking: nothing to store but the log."""
        return bool(self.batch) and all(event.type in ingest.LIVE_ONLY for event in self.batch)

    @property
    def begins(self) -> bool:
        """Whether a response begins in it."""
        return any(isinstance(event, events.ResponseInProgress) for event in self.batch)

    @property
    def is_raising(self) -> bool:
        """Whether the sessions above may have to show something of it; a lost response begins anew."""
        return bool(self.memory.lost_id) or families.is_raising(self.batch)

    def only(self, *batch: events.Event) -> "IngestUnit":
        """Some of its events without its number, or its number without events."""
        return dataclasses.replace(self, batch=batch, number=0 if batch else self.number)

    def settle(self, error: BaseException | None) -> None:
        """Tell the relay."""
        self.report(error)


Groups = Mapping[int, Sequence[IngestUnit]]


def commit(units: Sequence[Unit]) -> list[BaseException | None]:
    """Commit a batch: what runners report with one transaction, posts and decisions with others.

    They differ in what they wait for: an input that was answered, or a verdict, is on the disk.
    """
    ours = [unit for unit in units if isinstance(unit, IngestUnit)]
    posts = [unit for unit in units if isinstance(unit, PostUnit)]
    records = [unit for unit in units if isinstance(unit, Record)]
    if ours:
        _commit_relayed(ours)
    if posts:
        posting.commit(posts)
    if records:
        recording.commit(records)
    return [unit.error for unit in units if isinstance(unit, IngestUnit | PostUnit | Record)]


def _commit_relayed(ours: Sequence[IngestUnit]) -> None:
    """Commit what relays bring. A superseded relay learns it; the others are not held up by it.

    The database's own troubles are tried again, then every unit of the batch has failed. When anything else
    goes wrong it is the content of some event: each session is then committed by itself, without that event.
    """
    groups: dict[int, list[IngestUnit]] = {}
    for unit in ours:
        groups.setdefault(unit.session_pk, []).append(unit)
    for attempt in range(ATTEMPTS):
        undo = _marks(ours)
        try:
            _commit(groups)
            break
        except TROUBLES:
            _go_back(undo)
            if attempt + 1 == ATTEMPTS:
                _break(ours)
                raise
            logger.warning("commit_repeated", extra={"units": len(ours)}, exc_info=True)
            connection.close_if_unusable_or_obsolete()
        except Exception:
            _go_back(undo)
            logger.exception("commit_taken_apart", extra={"sessions": len(groups)})
            for group in groups.values():
                _sift(group)
            break


def _marks(units: Sequence[IngestUnit]) -> list[tuple[Memory, Mark]]:
    memories = {id(unit.memory): unit.memory for unit in units}
    return [(memory, memory.mark()) for memory in memories.values()]


def _go_back(undo: Sequence[tuple[Memory, Mark]]) -> None:
    for memory, mark in undo:
        memory.back_to(mark)


def _break(units: Sequence[IngestUnit]) -> None:
    for unit in units:
        unit.memory.is_broken = True


def _commit(groups: Groups) -> None:
    with streamed_transaction():
        now = timezone.now()
        live = {pk: group for pk, group in groups.items() if _is_live(group)}
        others = [unit for pk, group in groups.items() if pk not in live for unit in group]
        if any(unit.begins or unit.is_raising for unit in others):
            # A follow-up turn takes one statement more, so the text goes the way of the rest. And rows are
            # locked in the order of their ids, those of sessions above streaming ones too.
            live = {}
        written = _append_live(live, groups) if live else {}
        entries = [entry for part in written.values() for entry in part]
        rest = {pk: group for pk, group in groups.items() if pk not in written}
        if rest:
            _apply(rest, now, entries)
        else:
            log.insert(entries, now)
            transaction.on_commit(partial(publish.announce, entries))


def _is_live(group: Sequence[IngestUnit]) -> bool:
    first = group[0]
    return not (first.memory.is_broken or first.memory.lost_id) and all(
        unit.memory is first.memory and unit.generation == first.generation and unit.is_live_only
        for unit in group
    )


def _apply(groups: Groups, now: datetime, written: Sequence[log.Entry] = ()) -> None:
    rising = {pk for pk, group in groups.items() if any(unit.is_raising for unit in group)}
    tick = Tick(lock(groups, rising), now, groups)
    tick.adopt(written)
    for session_pk, group in groups.items():
        session = tick.sessions.get(session_pk)
        for unit in group:
            if session is None or session.relay_generation != unit.generation:
                unit.error = Superseded()
            elif unit.memory.is_broken:
                unit.error = Skipped()
            else:
                if unit.number:
                    session.ingest_stream, session.ingest_number = unit.stream, unit.number
                ingest.apply(tick, session, unit.memory, coalesce(unit.batch))
    tick.flush()


def _sift(group: Sequence[IngestUnit]) -> None:
    """Commit a session's events one by one, leaving out those that cannot be."""
    try:
        with transaction.atomic():
            for unit in group:
                for event in unit.batch:
                    _try(unit.only(event))
                rest = unit.only()
                _apply({unit.session_pk: [rest]}, timezone.now())
                unit.error = rest.error
    except Exception as error:
        logger.exception("commit_failed", extra={"session": group[0].session_pk})
        _break(group)
        for unit in group:
            unit.error = error


def _try(unit: IngestUnit) -> None:
    undo = unit.memory.mark()
    try:
        with transaction.atomic():
            _apply({unit.session_pk: [unit]}, timezone.now())
    except TROUBLES:
        raise
    except Exception:
        unit.memory.back_to(undo)
        details = {"session": unit.session_pk, "type": unit.batch[0].type}
        logger.exception("runner_event_unusable", extra=details)


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
def _live_text(vendor: str, rows: int) -> str:
    table = Session._meta.db_table
    if vendor == "postgresql":
        first = "(%s::bigint, %s::bigint, %s::bigint, %s::text, %s::bigint)"
        # Whoever locks a sub-agent has locked the sessions above it, so nobody may take a lower id later.
        held = (
            f", held AS (SELECT id FROM {table} WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE)"
        )
        source = "v JOIN held ON held.id = v.id"
    else:
        first, held, source = "(%s, %s, %s, %s, %s)", "", "v"
    values = ", ".join([first, *["(%s, %s, %s, %s, %s)"] * (rows - 1)])
    return (
        f"WITH v(id, generation, size, stream, number) AS (VALUES {values}){held} "
        f"UPDATE {table} SET seq = seq + v.size, open_seq = COALESCE(open_seq, seq + 1), "
        f"ingest_stream = CASE WHEN v.number > 0 THEN v.stream ELSE ingest_stream END, "
        f"ingest_number = CASE WHEN v.number > 0 THEN v.number ELSE ingest_number END "
        f"FROM {source} WHERE {table}.id = v.id AND relay_generation = v.generation AND NOT interrupt_fence "
        f"RETURNING {table}.id, {table}.seq"
    )


def _append_live(groups: Groups, others: Collection[int]) -> dict[int, list[log.Entry]]:
    """Number the deltas of any number of sessions with one statement; gives what is to be written.

    `others` are the sessions that this transaction locks after them.
    """
    batches = {
        pk: coalesce([event for unit in group for event in unit.batch]) for pk, group in groups.items()
    }
    params: list[Any] = []
    for pk in sorted(groups):
        last = groups[pk][-1]
        params += (pk, last.generation, len(batches[pk]), last.stream, last.number)
    if connection.vendor == "postgresql":
        params.append(sorted({*groups, *others}))
    heads: dict[int, int] = dict(query(_live_text(connection.vendor, len(groups)), params))
    written: dict[int, list[log.Entry]] = {}
    for pk, head in heads.items():
        batch = batches[pk]
        written[pk] = [
            log.Entry(pk, seq, event.type, events.to_json(event))
            for seq, event in enumerate(batch, start=head - len(batch) + 1)
        ]
        groups[pk][-1].memory.text += [e.delta for e in batch if isinstance(e, events.OutputTextDelta)]
    return written

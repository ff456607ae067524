"""One transaction's changes to sessions, gathered in memory and written in bulk.

Whoever wants to change what a session's clients can see opens a tick: it locks the session rows in id order,
hands out their state, and at the end writes log, items and session rows with one statement each.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import orjson
from django.db import transaction
from django.utils import timezone

from omnigent.protocol import events, items
from sessions_app.events import log, publish
from sessions_app.models import Elicitation, ElicitationStatus, Item, Session, Turn, TurnStatus
from sessions_app.services import families, rows
from sessions_app.services.item_forms import ITEM_COLUMNS, NewItem, row_of
from sessions_app.statements import insert


class Tick:
    """The open transaction. Session rows are locked; change their fields and the flush writes them.

    `sessions` are those of the locked ones that the tick is about; the others are above them and get copies
    of what concerns them. `voided` holds the keys of the questions that nobody waits for any more.
    """

    def __init__(
        self, locked: Iterable[Session], now: datetime, wanted: Container[int] | None = None
    ) -> None:
        self.now = now
        self._locked = {session.pk: session for session in locked}
        self.sessions = {
            pk: session for pk, session in self._locked.items() if wanted is None or pk in wanted
        }
        self.voided: set[int] = set()
        self._listed: set[int] = set()
        self._before = {pk: rows.values(session) for pk, session in self._locked.items()}
        self._retold: set[int] = set()
        self._entries: list[log.Entry] = []
        self._items: list[Item] = []
        self._turns: dict[int, Turn | None] = {}
        self._opened: list[Turn] = []
        self._saved: dict[int, Turn] = {}

    @property
    def locked(self) -> Mapping[int, Session]:
        """The sessions that the tick is about, and all that are above them."""
        return self._locked

    def turn(self, session: Session) -> Turn | None:
        """The session's running turn."""
        if session.pk not in self._turns:
            self._turns[session.pk] = _running_turn(session)
        turn = self._turns[session.pk]
        return turn if turn is not None and turn.status == TurnStatus.RUNNING else None

    def open_turn(self, session: Session, response_id: str = "") -> None:
        """Open the next turn; a turn that is still running is over."""
        running = self.turn(session)
        if running is not None:
            running.status = TurnStatus.INCOMPLETE
            running.ended_at = self.now
            self.save_turn(running)
        turn = Turn(session=session, response_id=response_id, opened_at=self.now)
        self._turns[session.pk] = turn
        self._opened.append(turn)

    def save_turn(self, turn: Turn) -> None:
        """Write the turn's fields with the flush."""
        if turn.pk is not None:
            self._saved[turn.pk] = turn

    def append(self, session: Session, event: events.Event) -> int:
        """Put an event into the session's log; it is shown once the transaction has committed."""
        seq = self._enter(session, event)
        if session.parent_id is not None:
            self._pass_on(session, event)
        return seq

    def blank(self, session: Session, kind: str, since: int) -> None:
        """Take the text out of this transaction's own deltas of one type, which nobody has been shown."""
        for place, entry in enumerate(self._entries):
            if entry.session_id == session.pk and entry.type == kind and entry.seq >= since:
                body = orjson.loads(entry.data)
                if body["message_id"] is None:
                    blanked = orjson.dumps({**body, "delta": ""})
                    self._entries[place] = log.Entry(entry.session_id, entry.seq, entry.type, blanked)

    def adopt_child(self, child: Session) -> None:
        """A sub-agent of a locked session was created in this transaction: the parent shows it."""
        [parent, *_] = families.chain(child, self._locked)
        self._enter(parent, families.created(parent, child))
        self._retold.add(child.pk)

    def _enter(self, session: Session, event: events.Event) -> int:
        session.seq += 1
        self._entries.append(log.Entry(session.pk, session.seq, event.type, events.to_json(event)))
        return session.seq

    def _pass_on(self, session: Session, event: events.Event) -> None:
        if event.type in families.SHOWN_ABOVE:
            families.chain(session, self._locked)
            self._retold.add(session.pk)
            if session.dispatch_position is not None:
                transaction.on_commit(partial(publish.ring, "returns", str(session.pk)))
        elif event.type in families.COPIED:
            above = families.chain(session, self._locked)
            for one in above:
                self._enter(one, families.copied(event, session))
            # The number of open questions has changed in the row of each that is somebody's sub-agent.
            self._retold.update(one.pk for one in (session, *above[:-1]))

    def add_item(self, session: Session, new: NewItem) -> Item:
        """Append an item; returns the row that the flush will insert."""
        session.position += 1
        session.updated_at = self.now
        text, nulls = items.split(new.data)
        item = Item(
            session=session,
            position=session.position,
            public_id=new.public_id,
            type=new.data.type,
            status=new.status,
            response_id=new.response_id,
            data=text,
            null_fields=",".join(nulls),
            created_at=self.now,
            created_by=new.created_by,
            stable_id=new.stable_id,
        )
        self._items.append(item)
        return item

    def adopt(self, entries: Sequence[log.Entry]) -> None:
        """Announce entries that were written by other means in this transaction."""
        self._entries.extend(entries)

    def flush(self) -> None:
        """Write everything; called once, at the end of the transaction."""
        self._write_sessions()
        if self.voided:
            Elicitation.objects.filter(pk__in=self.voided, status=ElicitationStatus.PENDING).update(
                status=ElicitationStatus.CANCELLED, action="cancel", resolved_at=self.now
            )
        if self._saved:
            Turn.objects.bulk_update(
                self._saved.values(), ["response_id", "status", "error_code", "ended_at"]
            )
        if self._opened:
            Turn.objects.bulk_create(self._opened)
        if self._items:
            insert(Item, ITEM_COLUMNS, [row_of(item) for item in self._items])
        if self._retold:
            self._retell()
        if self._entries:
            log.insert(self._entries, self.now)
            transaction.on_commit(partial(publish.announce, self._entries))
        silent = self._listed - {entry.session_id for entry in self._entries if entry.changes_row}
        if silent:
            transaction.on_commit(partial(publish.ring, "rows", *map(str, silent)))

    def _retell(self) -> None:
        """Show the parents what the rows of their sub-agents have become."""
        for parent, update in families.updates(self._retold, self._locked):
            self._enter(parent, update)
        self._write_sessions()

    def _write_sessions(self) -> None:
        changed: list[Session] = []
        places: set[int] = set()
        for pk, session in self._locked.items():
            values = rows.values(session)
            pairs = zip(self._before[pk], values, strict=True)
            self._before[pk] = values
            moved = [place for place, (before, after) in enumerate(pairs) if before != after]
            if moved:
                changed.append(session)
                places.update(moved)
                if not rows.LISTED.isdisjoint([rows.MUTABLE[place] for place in moved]):
                    self._listed.add(pk)
        if changed:
            rows.write(changed, [rows.MUTABLE[place] for place in sorted(places)])


def _running_turn(session: Session) -> Turn | None:
    if session.running_turn_id is None:
        return None
    return Turn(
        pk=session.running_turn_id,
        session=session,
        response_id=session.running_response_id or "",
        status=TurnStatus.RUNNING,
    )


@contextmanager
def tick_of(session_ids: Iterable[int]) -> Iterator[Tick]:
    """Open a transaction on these sessions and write what the block gathers."""
    wanted = frozenset(session_ids)
    with transaction.atomic(savepoint=False):
        tick = Tick(rows.lock(wanted, wanted), timezone.now(), wanted)
        yield tick
        tick.flush()

"""Messages to a program in a terminal: they become items when its transcript has them, or when it never will.

Such a message is answered with the id of an item that is not there yet. Whoever stores it, and however often
it is reported, that id is stored once.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db.models import Q

from omnigent.ids import ITEM, TURN, mint
from omnigent.protocol import items
from omnigent.spec import harnesses
from sessions_app.models import Item, Outbox, OutboxKind, PendingInput, Session
from sessions_app.services.item_forms import NewItem, consumed
from sessions_app.services.tick import Tick

PENDING = "pending"


def are_kept(session: Session) -> bool:
    """Whether the session's harness shows its messages itself. Those of sub-agents are stored at once: what
    came of one is looked for behind it.
    """
    harness = session.harness_override or (session.agent.harness if session.agent else None) or ""
    return session.parent_id is None and (harnesses.canonical(harness) or "").endswith("-native")


def name_of(session_pk: int, stable_id: str | None) -> str:
    """A message's pending id: the same for one that is posted again under its `stable_id`."""
    if stable_id is None:
        return mint(PENDING)
    digest = hashlib.sha256(f"{session_pk}:{stable_id}".encode())
    return f"{PENDING}_{digest.hexdigest()[:32]}"


def item_id_of(pending_id: str) -> str:
    """The id of the item that it becomes."""
    return f"{ITEM}_{pending_id.removeprefix(f'{PENDING}_')}"


def put(
    tick: Tick, session: Session, pending_id: str, content: list[Any], *, user_id: str
) -> Mapping[str, str]:
    """Keep a message until it is an item; what its sender and the runner are told of it."""
    PendingInput.objects.create(
        session=session,
        public_id=pending_id,
        item_id=item_id_of(pending_id),
        content=orjson.dumps(content).decode(),
        created_at=tick.now,
        created_by=user_id,
    )
    session.has_pending_input = True
    return {"item_id": item_id_of(pending_id), "pending_id": pending_id}


def is_known(session_pk: int, stable_id: str) -> bool:
    """Whether a message that came under this id waits, or is an item."""
    pending_id = name_of(session_pk, stable_id)
    named = Q(stable_id=stable_id) | Q(public_id=item_id_of(pending_id))
    return (
        Item.objects.filter(named, session=session_pk).exists()
        or PendingInput.objects.filter(session=session_pk, public_id=pending_id).exists()
    )


def found(session: Session, pending_id: str) -> list[Any] | None:
    """The content of one that waits."""
    if not session.has_pending_input:
        return None
    row = PendingInput.objects.filter(session=session, public_id=pending_id).first()
    return None if row is None else list(orjson.loads(row.content))


def settle(tick: Tick, session: Session, *, item_id: str = "") -> None:
    """Store what no transcript has brought and none may bring any more: the program was given it and rests.

    What still has to be delivered goes on waiting. With `item_id` it is only this one, delivered or not.
    """
    if not session.has_pending_input:
        return
    rows = PendingInput.objects.filter(session=session)
    if item_id:
        rows = rows.filter(item_id=item_id)
    else:
        coming = Outbox.objects.filter(session=session, kind=OutboxKind.MESSAGE)
        rows = rows.exclude(item_id__in=coming.values("item_id"))
    taken = list(rows)
    if not taken:
        return
    PendingInput.objects.filter(pk__in=[row.pk for row in taken]).delete()
    for row in taken:
        message = _message(row.content)
        stored = NewItem(
            data=message, response_id=mint(TURN), created_by=row.created_by, public_id=row.item_id
        )
        tick.add_item(session, stored)
        author = row.created_by or None
        shown = consumed(row.item_id, message, created_by=author, cleared_pending_id=row.public_id)
        tick.append(session, shown)


def _message(content: str) -> items.Message:
    return items.Message(role="user", content=orjson.loads(content), user_authored=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A user's message as a transcript has it; `pending_id` is empty when whoever reports it names none."""

    pending_id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The message that a report is about: the item that it becomes, or has become when `message` is None."""

    item_id: str
    message: items.Message | None = None
    pending_id: str = ""
    created_by: str = ""


@dataclass(slots=True)
class Waiting:
    """The messages of some sessions that wait for their reports; each is claimed once."""

    _rows: dict[int, list[PendingInput]] = field(default_factory=dict)
    _stored: set[str] = field(default_factory=set)
    _claimed: list[int] = field(default_factory=list)

    def claim(self, session_pk: int, report: Report) -> Claim | None:
        """What the report is about; None for what was typed at the terminal."""
        rows = self._rows.get(session_pk, [])
        row = next((each for each in rows if _is_about(report, each)), None)
        if row is None:
            item_id = item_id_of(report.pending_id)
            return Claim(item_id=item_id) if item_id in self._stored else None
        rows.remove(row)
        self._claimed.append(row.pk)
        self._stored.add(row.item_id)
        return Claim(
            item_id=row.item_id,
            message=_message(row.content),
            pending_id=row.public_id,
            created_by=row.created_by,
        )

    def forget_claimed(self) -> None:
        """They are items now."""
        if self._claimed:
            PendingInput.objects.filter(pk__in=self._claimed).delete()


def waiting(reports: Iterable[tuple[int, Report]]) -> Waiting:
    """What these reports, by session, may be about."""
    wanted = list(reports)
    if not wanted:
        return Waiting()
    rows: dict[int, list[PendingInput]] = defaultdict(list)
    for row in PendingInput.objects.filter(session__in={pk for pk, _ in wanted}):
        rows[row.session_id].append(row)
    waits = {row.public_id for each in rows.values() for row in each}
    gone = {(pk, item_id_of(said.pending_id)) for pk, said in wanted if said.pending_id not in {"", *waits}}
    known = Item.objects.filter(session__in={pk for pk, _ in gone}, public_id__in={name for _, name in gone})
    return Waiting(rows, set(known.values_list("public_id", flat=True)) if gone else set())


def _is_about(report: Report, row: PendingInput) -> bool:
    if report.pending_id:
        return row.public_id == report.pending_id
    return _letters(items.text_of(orjson.loads(row.content))) == _letters(report.text)


def _letters(text: str) -> str:
    """A text without its whitespace, which programs change."""
    return "".join(text.split())

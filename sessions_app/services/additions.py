"""Inputs that only add to a session: text and items that came about elsewhere, any number in one transaction.

They need no lock on what a session is doing, so its numbers are taken and its row is locked by one update.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import TURN, mint
from omnigent.protocol import events, inputs, items
from sessions_app.events import log, publish
from sessions_app.models import Item, Session
from sessions_app.services import pending_inputs
from sessions_app.services.item_forms import ITEM_COLUMNS, NewItem, consumed, flat_form, item_row
from sessions_app.services.pending_inputs import Claim, Report
from sessions_app.statements import Row, insert, query

MAX_RESPONSE_ID = 128
MAX_SOURCE = 120

ELSEWHERE = "elsewhere"
"""The message id of text that is posted without one, so that nobody takes it for the runner's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Addition:
    """What one input adds: an event, and perhaps the item that it shows. Without an event it adds nothing.

    An item with a `stable_id` that its session has already is not added again: the answer names that one. A
    `report` may be about a message that waits for it, which is then what is added.
    """

    answer: Mapping[str, Any]
    event: events.Event | None = None
    item: NewItem | None = None
    report: Report | None = None


def read(event: inputs.SessionEvent, payload: inputs.Payload, now: datetime) -> Addition:
    """What an input adds whose type is among `KINDS`. Raises OmnigentError."""
    return KINDS[event.type](event, payload, now)


def text_delta(event: inputs.SessionEvent, delta: Any, now: datetime) -> Addition:
    """Text that is only shown."""
    shown = events.OutputTextDelta(
        delta=delta.delta, message_id=delta.message_id or ELSEWHERE, index=delta.index, final=delta.final
    )
    return Addition(event=shown, answer={"queued": False})


def external_item(event: inputs.SessionEvent, external: Any, now: datetime) -> Addition:
    """An item of any type, once under its source id."""
    stable_id = _source_key(external.source_id) if external.source_id else None
    new = new_item(event, external.item, response_id=external.response_id, stable_id=stable_id)
    addition = _shown(new, now, queued=False)
    said = new.data
    if stable_id is None or not (isinstance(said, items.Message) and said.role == "user"):
        return addition
    report = Report(pending_id=external.pending_id or "", text=items.text_of(said.content))
    return replace(addition, report=report)


def external_message(event: inputs.SessionEvent, external: Any, now: datetime) -> Addition:
    """An assistant's message."""
    message = items.Message(
        role="assistant",
        content=[{"type": "output_text", "text": items.scrub(external.text)}],
        agent=external.agent,
    )
    return _shown(new_item(event, message, response_id=external.response_id), now, queued=False)


def stored_item(event: inputs.SessionEvent, stored: Any, now: datetime) -> Addition:
    """An item that a client keeps in the conversation."""
    if stored.evaluate_policy:
        raise RuntimeError("a verdict is asked of the policies, not of the log")
    addition = _shown(new_item(event, stored.item), now, queued=True)
    if event.type != "compaction":
        return addition
    return Addition(event=addition.event, item=addition.item, answer={"queued": True})


def message(event: inputs.SessionEvent, given: inputs.MessageInput, now: datetime) -> Addition:
    """A message that starts nothing, because no user says it."""
    return _shown(new_item(event, given.item), now, queued=True)


def new_item(
    event: inputs.SessionEvent,
    data: items.ItemData,
    *,
    response_id: str | None = None,
    stable_id: str | None = None,
) -> NewItem:
    """The item of an input. Raises OmnigentError for a response id that cannot be stored."""
    if response_id and len(response_id) > MAX_RESPONSE_ID:
        raise OmnigentError(
            ErrorCode.INVALID_INPUT,
            f"Invalid data payload for event type '{event.type}': "
            f"response_id: must not be longer than {MAX_RESPONSE_ID} characters",
        )
    return NewItem(data=data, response_id=response_id or mint(TURN), stable_id=stable_id)


def _source_key(source_id: str) -> str:
    """The stored form of a source id: itself, or its digest when it is long."""
    if len(source_id) > MAX_SOURCE:
        return f"source-sha256:{hashlib.sha256(source_id.encode()).hexdigest()}"
    return f"source:{source_id}"


def _shown(new: NewItem, now: datetime, *, queued: bool) -> Addition:
    event: events.Event
    if isinstance(new.data, items.Message) and new.data.role == "user":
        event = consumed(new.public_id, new.data, created_by=None)
    else:
        event = events.OutputItemDone(item=flat_form(new, now))
    return Addition(event=event, item=new, answer={"queued": queued, "item_id": new.public_id})


Kind = Callable[[inputs.SessionEvent, Any, datetime], Addition]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "external_output_text_delta": text_delta,
        "external_conversation_item": external_item,
        "external_assistant_message": external_message,
        **dict.fromkeys(
            (
                "function_call",
                "error",
                "reasoning",
                "compaction",
                "native_tool",
                "resource_event",
                "routing_decision",
                "terminal_command",
            ),
            stored_item,
        ),
    }
)
"""What the types add that do nothing else."""

Wanted = Sequence[tuple[int, Addition]]
"""Sessions by key, and what is to be added to them, in order."""


def write(wanted: Wanted, now: datetime) -> list[Mapping[str, Any] | None]:
    """Add everything inside the caller's transaction; gives the answers, None for a session that is gone.

    Raises IntegrityError when another server process adds an item of the same source at this moment.
    """
    known = _known_items(wanted)
    waiting = pending_inputs.waiting((pk, each.report) for pk, each in wanted if each.report is not None)
    fresh: list[tuple[int, Addition]] = []
    answers: list[Mapping[str, Any]] = []
    for session_pk, given in wanted:
        addition, answer = given, given.answer
        stable_id = addition.item.stable_id if addition.item else None
        if stable_id is not None and addition.item is not None:
            first = known.get((session_pk, stable_id))
            if first is None:
                claim = waiting.claim(session_pk, given.report) if given.report else None
                addition = _claimed(given, claim) if claim is not None else given
                first = known[session_pk, stable_id] = str(addition.answer["item_id"])
            else:
                addition = replace(given, event=None)
            answer = {**answer, "item_id": first}
        answers.append(answer)
        if addition.event is not None:
            fresh.append((session_pk, addition))
    found = _insert(fresh, now) if fresh else set()
    # After the sessions' rows are locked, as everybody does it.
    waiting.forget_claimed()
    gone = {session_pk for session_pk, _ in fresh} - found
    return [None if pk in gone else answer for (pk, _), answer in zip(wanted, answers, strict=True)]


def _claimed(addition: Addition, claim: Claim) -> Addition:
    """The message that was reported, as it was posted; nothing when it is an item already."""
    answer = {**addition.answer, "item_id": claim.item_id}
    if claim.message is None or addition.item is None:
        return Addition(answer=answer)
    new = replace(addition.item, data=claim.message, public_id=claim.item_id, created_by=claim.created_by)
    shown = consumed(
        claim.item_id,
        claim.message,
        created_by=claim.created_by or None,
        cleared_pending_id=claim.pending_id,
    )
    return Addition(answer=answer, event=shown, item=new)


def _known_items(wanted: Wanted) -> dict[tuple[int, str], str]:
    keys = {(pk, new.item.stable_id) for pk, new in wanted if new.item and new.item.stable_id}
    if not keys:
        return {}
    pairs = ", ".join(["(%s, %s)"] * len(keys))
    rows = query(
        f"SELECT session_id, stable_id, public_id FROM {Item._meta.db_table} "
        f"WHERE (session_id, stable_id) IN (VALUES {pairs}) AND stable_id IS NOT NULL",
        [value for key in sorted(keys) for value in key],
    )
    return {(pk, stable_id): public_id for pk, stable_id, public_id in rows}


def _insert(fresh: Wanted, now: datetime) -> set[int]:
    database = connections[DEFAULT_DB_ALIAS]
    stamp = database.ops.adapt_datetimefield_value(now)
    heads = _take_numbers(database, fresh, stamp)
    entries: list[log.Entry] = []
    rows: list[Row] = []
    for pk, addition in fresh:
        if pk not in heads or addition.event is None:
            continue
        head = heads[pk]
        head[0] += 1
        entries.append(log.Entry(pk, head[0], addition.event.type, events.to_json(addition.event)))
        if addition.item is not None:
            head[1] += 1
            rows.append(item_row(pk, head[1], addition.item, stamp))
    if rows:
        insert(Item, ITEM_COLUMNS, rows)
    if entries:
        log.insert(entries, now)
        transaction.on_commit(partial(publish.announce, entries))
    return set(heads)


def _take_numbers(database: BaseDatabaseWrapper, fresh: Wanted, stamp: Any) -> dict[int, list[int]]:
    """Raise the counters of the sessions; gives where each stood before: [log number, item position]."""
    sizes: dict[int, list[int]] = {}
    for pk, addition in fresh:
        size = sizes.setdefault(pk, [0, 0])
        size[0] += 1
        size[1] += addition.item is not None
    if len(sizes) > 1:
        _lock_in_order(database, sizes)
    params = [value for pk in sorted(sizes) for value in (pk, *sizes[pk], stamp)]
    rows = query(_numbers_text(database.vendor, len(sizes)), params)
    return {pk: [seq - sizes[pk][0], position - sizes[pk][1]] for pk, seq, position in rows}


def _lock_in_order(database: BaseDatabaseWrapper, session_pks: Iterable[int]) -> None:
    """Two processes that update the same rows in different orders would wait for each other."""
    if database.features.has_select_for_update:
        rows = Session.objects.select_for_update().filter(pk__in=session_pks).order_by("pk")
        list(rows.values_list("pk"))


@lru_cache(maxsize=256)
def _numbers_text(vendor: str, size: int) -> str:
    table = Session._meta.db_table
    typed = "(%s::bigint, %s::bigint, %s::bigint, %s::timestamptz)"
    first = typed if vendor == "postgresql" else "(%s, %s, %s, %s)"
    values = ", ".join([first, *["(%s, %s, %s, %s)"] * (size - 1)])
    return (
        f"WITH v(id, entries, items, stamp) AS (VALUES {values}) "
        f"UPDATE {table} SET seq = seq + v.entries, position = position + v.items, "
        f"updated_at = CASE WHEN v.items > 0 THEN v.stamp ELSE updated_at END "
        f"FROM v WHERE {table}.id = v.id RETURNING {table}.id, {table}.seq, {table}.position"
    )

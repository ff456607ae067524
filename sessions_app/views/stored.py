"""Reads of stored items for the transcript's fragments, in the nested form of snapshots."""

from typing import Any

import orjson
from django.db.models import QuerySet

from sessions_app.models import Item, LogEntry

CALL = "function_call"
OUTPUT = "function_call_output"
LOOK_BACK = 64
"""A call and its output are asked for while they are new: among the newest calls of their session."""
LOG_LOOK_BACK = 5000

Nested = dict[str, Any]  # an item as snapshots carry it


def item_with_partner(session_pk: int, item_id: str) -> list[Nested]:
    """One item, a call with its output and an output with its call; empty when there is none."""
    found = Item.objects.filter(session=session_pk, public_id=item_id).first()
    if found is None:
        return []
    shown = _nested(found)
    if found.type not in (CALL, OUTPUT):
        return [shown]
    call_id = shown["data"].get("call_id", "")
    near = Item.objects.filter(session=session_pk, response_id=found.response_id)
    other = OUTPUT if found.type == CALL else CALL
    past = (
        near.filter(position__gt=found.position)
        if found.type == CALL
        else near.filter(position__lt=found.position)
    )
    partner = _calling(past.filter(type=other), call_id)
    pair = [shown, *partner[:1]]
    return sorted(pair, key=lambda each: each["type"] != CALL)


def call_with_output(session_pk: int, call_id: str) -> list[Nested]:
    """The newest call of this id and its output, as far as they are stored."""
    recent = Item.objects.filter(session=session_pk, type__in=(CALL, OUTPUT)).order_by("-position")[
        :LOOK_BACK
    ]
    pair: dict[str, Nested] = {}
    for item in recent:
        shown = _nested(item)
        if shown["data"].get("call_id") == call_id:
            pair.setdefault(item.type, shown)
        if CALL in pair:
            break
    return [pair[kind] for kind in (CALL, OUTPUT) if kind in pair]


def calls_under_way(session_pk: int, *, seq: int) -> list[Nested]:
    """Calls that the log shows as begun, up to `seq`, and not yet as done: they are no items before that."""
    newest = LogEntry.objects.filter(
        session=session_pk,
        type__in=("response.output_item.done", "response.in_progress"),
        seq__lte=seq,
        seq__gt=seq - LOG_LOOK_BACK,
    ).order_by("-seq")
    done: set[str] = set()
    begun: list[Nested] = []
    for kind, text, at in newest.values_list("type", "data", "created_at")[:LOOK_BACK]:
        if kind == "response.in_progress":
            break
        item = orjson.loads(text)["item"]
        if item.get("type") != CALL:
            continue
        if item.get("status") == "completed":
            done.add(item["call_id"])
        elif item["call_id"] not in done:
            done.add(item["call_id"])
            begun.append({**item, "data": item, "created_at": int(at.timestamp())})
    return begun[::-1]


def output_text(session_pk: int, item_id: str) -> str | None:
    """The whole output of a call; None when the item is no output."""
    data = Item.objects.filter(session=session_pk, public_id=item_id, type=OUTPUT).values_list(
        "data", flat=True
    )
    found = data.first()
    return None if found is None else str(orjson.loads(found).get("output", ""))


def _calling(items: "QuerySet[Item]", call_id: str) -> list[Nested]:
    # The stored text is searched first, so that only likely rows are read and parsed.
    rows = [_nested(item) for item in items.filter(data__contains=orjson.dumps(call_id).decode())[:4]]
    return [row for row in rows if row["data"].get("call_id") == call_id]


def _nested(item: Item) -> Nested:
    return {
        "id": item.public_id,
        "type": item.type,
        "status": item.status,
        "response_id": item.response_id,
        "created_at": int(item.created_at.timestamp()),
        "data": orjson.loads(item.data),
        "created_by": item.created_by or None,
    }

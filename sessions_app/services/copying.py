"""Copying a conversation into another session: new ids, same order, and pointers that name the copies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connection

from omnigent.ids import ITEM, mint
from omnigent.protocol import items
from sessions_app.models import Item, Session
from sessions_app.services import access
from sessions_app.services.tick import ITEM_COLUMNS
from sessions_app.statements import Slot, Statement, compiled, insert, kept

ITEM_ID = re.compile(rf"{ITEM}_[0-9a-f]{{32}}")
COPIED = (
    "position",
    "public_id",
    "type",
    "status",
    "response_id",
    "data",
    "null_fields",
    "created_at",
    "created_by",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The first `end` items of a session."""

    session_pk: int
    end: int


def copy_items(history: History, target: Session) -> None:
    """Insert copies of a history's items into a session that has none and whose `position` is the history's
    end. Raises 404 when the source is gone.
    """
    rows = _items().rows(session=history.session_pk, end=history.end)
    if len(rows) != history.end:
        raise access.not_found()
    new_ids = {row[1]: mint(ITEM) for row in rows}
    stamp = connection.ops.adapt_datetimefield_value
    values = [
        (
            target.pk,
            position,
            new_ids[public_id],
            type_,
            status,
            response_id,
            _pointed(data, new_ids) if type_ == items.Compaction.type else data,
            null_fields,
            stamp(created_at),
            created_by,
            None,
        )
        for position, public_id, type_, status, response_id, data, null_fields, created_at, created_by in rows
    ]
    insert(Item, ITEM_COLUMNS, values)


def _pointed(data: str, new_ids: Mapping[str, str]) -> str:
    return ITEM_ID.sub(partial(_replacement, new_ids), data)


def _replacement(new_ids: Mapping[str, str], found: re.Match[str]) -> str:
    return new_ids.get(found[0], found[0])


@kept
def _items() -> Statement:
    found: Any = Item.objects.filter(session=Slot("session"), position__lte=Slot("end"))
    return compiled(found.order_by("position").values_list(*COPIED))

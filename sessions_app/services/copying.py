"""Copying a conversation into another session: new ids, same order, and pointers that name the copies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connection

from omnigent.ids import FILE, ITEM, mint
from omnigent.protocol import items
from sessions_app.models import Item, Session
from sessions_app.services import access, files
from sessions_app.services.item_forms import ITEM_COLUMNS
from sessions_app.statements import Slot, Statement, compiled, insert, kept

ITEM_ID = re.compile(rf"{ITEM}_[0-9a-f]{{32}}")
FILE_ID = re.compile(rf"{FILE}_[0-9a-f]{{32}}")
FILE_MARK = '"file_id"'
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
    files_in = any(FILE_MARK in row[5] for row in rows)
    new_files = files.copy_files(history.session_pk, target.pk) if files_in else {}
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
            _pointed(type_, data, new_ids, new_files),
            null_fields,
            stamp(created_at),
            created_by,
            None,
        )
        for position, public_id, type_, status, response_id, data, null_fields, created_at, created_by in rows
    ]
    insert(Item, ITEM_COLUMNS, values)


def _pointed(type_: str, data: str, new_ids: Mapping[str, str], new_files: Mapping[str, str]) -> str:
    if type_ == items.Compaction.type:
        data = ITEM_ID.sub(partial(_replacement, new_ids), data)
    if new_files and FILE_MARK in data:
        data = FILE_ID.sub(partial(_replacement, new_files), data)
    return data


def _replacement(new_ids: Mapping[str, str], found: re.Match[str]) -> str:
    return new_ids.get(found[0], found[0])


@kept
def _items() -> Statement:
    found: Any = Item.objects.filter(session=Slot("session"), position__lte=Slot("end"))
    return compiled(found.order_by("position").values_list(*COPIED))

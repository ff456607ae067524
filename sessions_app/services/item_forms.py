"""Items about to be stored: what is said of them, their columns in the table, and how clients see them."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import orjson
from django.db import connection

from omnigent.ids import ITEM, mint
from omnigent.protocol import events, items
from sessions_app.models import Item

ITEM_COLUMNS = (
    "session_id",
    "position",
    "public_id",
    "type",
    "status",
    "response_id",
    "data",
    "null_fields",
    "created_at",
    "created_by",
    "stable_id",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewItem:
    """An item to append; `data` is one of the dataclasses of `omnigent.protocol.items`."""

    data: items.ItemData
    response_id: str
    status: str = "completed"
    created_by: str = ""
    stable_id: str | None = None
    public_id: str = field(default_factory=partial(mint, ITEM))


def flat_item(item: Item) -> dict[str, Any]:
    """The item as `GET …/items` and `response.output_item.done` show it, without the copy under `data`."""
    head: dict[str, Any] = {
        "id": item.public_id,
        "response_id": item.response_id,
        "type": item.type,
        "status": item.status,
        "created_at": int(item.created_at.timestamp()),
    }
    head.update(orjson.loads(item.data))
    if item.created_by:
        head["created_by"] = item.created_by
    return head


def flat_form(new: NewItem, now: datetime) -> dict[str, Any]:
    """The same of an item that is about to be stored."""
    head: dict[str, Any] = {
        "id": new.public_id,
        "response_id": new.response_id,
        "type": new.data.type,
        "status": new.status,
        "created_at": int(now.timestamp()),
    }
    head.update((key, value) for key, value in items.to_data(new.data).items() if value is not None)
    if new.created_by:
        head["created_by"] = new.created_by
    return head


def row_of(item: Item) -> tuple[Any, ...]:
    """The columns of an item that a tick stores."""
    stamp = connection.ops.adapt_datetimefield_value(item.created_at)
    return (
        item.session_id,
        item.position,
        item.public_id,
        item.type,
        item.status,
        item.response_id,
        item.data,
        item.null_fields,
        stamp,
        item.created_by,
        item.stable_id,
    )


def item_row(session_pk: int, position: int, new: NewItem, stamp: Any) -> tuple[Any, ...]:
    """The columns of an item that is stored without a tick; `stamp` is in the database's own form."""
    text, nulls = items.split(new.data)
    return (
        session_pk,
        position,
        new.public_id,
        new.data.type,
        new.status,
        new.response_id,
        text,
        ",".join(nulls),
        stamp,
        new.created_by,
        new.stable_id,
    )


def consumed(
    item_id: str, message: items.Message, *, created_by: str | None, cleared_pending_id: str | None = None
) -> events.SessionInputConsumed:
    """The event that shows a stored message of a user."""
    data = events.message_data(role="user", content=message.content, user_authored=message.user_authored)
    return events.SessionInputConsumed(
        data=events.ConsumedInput(
            item_id=item_id, data=data, created_by=created_by, cleared_pending_id=cleared_pending_id
        )
    )

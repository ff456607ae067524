"""Item pages and the items of snapshots, put together from stored JSON text without parsing it."""

import orjson
from django.db.models import Exists, OuterRef, Q, QuerySet

from omnigent.api.pagination import Page, stale_cursor
from omnigent.ids import TURN
from omnigent.protocol import items
from sessions_app.expressions import Epoch
from sessions_app.models import Item, Outbox, OutboxKind, Turn, TurnStatus
from sessions_app.statements import Past, Row, Slot, Statement, compiled, kept

SNAPSHOT_ITEMS = 100
CONVERSATION = (items.Message.type, items.FunctionCall.type, items.FunctionCallOutput.type)

_COLUMNS = ("public_id", "type", "status", "response_id", "data", "null_fields", "created_by")


@kept
def _page_statement(
    has_after: bool,  # noqa: FBT001 - a shape
    has_before: bool,  # noqa: FBT001 - a shape
    ascending: bool,  # noqa: FBT001 - a shape
    *,
    is_forgetful: bool = False,
) -> Statement:
    rows = Item.objects.filter(session=Slot("session"))
    if is_forgetful:
        rows = _without_repeats(rows)
    if has_after:
        rows = rows.filter(
            Past(Item, "position", "position", "after", scope="session_id", ascending=ascending)
        )
    if has_before:
        rows = rows.filter(
            Past(Item, "position", "position", "before", scope="session_id", ascending=not ascending)
        )
    rows = rows.order_by("position" if ascending else "-position")
    return compiled(rows.values_list(*_COLUMNS, Epoch("created_at")), limited=True)


def _without_repeats(rows: "QuerySet[Item]") -> "QuerySet[Item]":
    """Without messages that their runner has still to be told, or was told and works on."""
    untold = Outbox.objects.filter(session=OuterRef("session"), kind=OutboxKind.MESSAGE)
    running = Turn.objects.filter(session=OuterRef("session"), status=TurnStatus.RUNNING)
    later = Item.objects.filter(session=OuterRef("session"), position__gt=OuterRef("position"))
    answers = later.filter(type__in=CONVERSATION).exclude(response_id__startswith=f"{TURN}_")
    unanswered = Q(response_id__startswith=f"{TURN}_") & Exists(running) & ~Exists(answers)
    return rows.filter(~Exists(untold.filter(item_id=OuterRef("public_id"))), ~unanswered)


def page(session_id: int, ask: Page, *, is_forgetful: bool = False) -> bytes:
    """One page of a session's items in the flat form, which carries the payload under `data` as well.

    `is_forgetful` is for a runner that would take a second time what it is told and then finds here.
    """
    statement = _page_statement(
        ask.after is not None, ask.before is not None, not ask.descending, is_forgetful=is_forgetful
    )
    rows = statement.rows(session=session_id, after=ask.after, before=ask.before, limit=ask.limit + 1)
    if not rows:
        _require_cursors(session_id, ask.cursors)
    has_more = len(rows) > ask.limit
    shown = rows[: ask.limit]
    head = '{"object":"list","data":['
    first, last = (_json(shown[0][0]), _json(shown[-1][0])) if shown else ("null", "null")
    tail = f'],"first_id":{first},"last_id":{last},"has_more":{"true" if has_more else "false"}}}'
    return (head + ",".join(map(flat, shown)) + tail).encode()


def newest(session_id: int, limit: int = SNAPSHOT_ITEMS) -> bytes:
    """The newest items of a session, oldest first, in the nested form: the text of a JSON array."""
    rows = _page_statement(False, False, False).rows(session=session_id, limit=limit)  # noqa: FBT003 - a shape
    return ("[" + ",".join(map(nested, reversed(rows))) + "]").encode()


def flat(row: Row) -> str:
    """An item with its payload beside its id; null payload fields are left out there, not under `data`."""
    public_id, type_, status, response_id, data, null_fields, created_by, created_at = row
    payload = data[1:-1]
    author = f',"created_by":{_json(created_by)}' if created_by else ""
    return (
        f'{{"id":{_json(public_id)},"response_id":{_json(response_id)},"type":{_json(type_)},'
        f'"status":{_json(status)},"created_at":{created_at}{author}{"," if payload else ""}{payload},'
        f'"data":{_with_nulls(payload, null_fields)}}}'
    )


def nested(row: Row) -> str:
    """An item with its whole payload, nulls included, under `data`."""
    public_id, type_, status, response_id, data, null_fields, created_by, created_at = row
    return (
        f'{{"id":{_json(public_id)},"type":{_json(type_)},"status":{_json(status)},'
        f'"response_id":{_json(response_id)},"created_at":{created_at},'
        f'"data":{_with_nulls(data[1:-1], null_fields)},"created_by":{_json(created_by or None)}}}'
    )


def _with_nulls(payload: str, null_fields: str) -> str:
    nulls = ",".join(f'"{name}":null' for name in null_fields.split(",")) if null_fields else ""
    return f"{{{payload}{',' if payload and nulls else ''}{nulls}}}"


def _json(value: str | None) -> str:
    return orjson.dumps(value).decode()


def _require_cursors(session_id: int, cursors: tuple[str, ...]) -> None:
    for cursor in cursors:
        if not Item.objects.filter(session=session_id, public_id=cursor).exists():
            raise stale_cursor(cursor)

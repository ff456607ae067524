"""The table of the crash tests: every write of the API, and the points at which a crash could hurt it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from tests.chaos.fuse import Moment, Point
from tests.e2e.api import Api, message

Send = Callable[[Api, str, str], httpx.Response]
Check = Callable[[Api, str], None]


def touching(verb: str, table: str) -> str:
    """A pattern for the SQL that inserts into, updates or deletes from a table, quoted or not."""
    return rf'{verb} "?{table}"?(?!\w)'


ITEM = touching("INSERT INTO", "sessions_app_item")
SESSION = touching("INSERT INTO", "sessions_app_session")
CHANGE = touching("UPDATE", "sessions_app_session")
LABEL = touching("INSERT INTO", "sessions_app_sessionlabel")
LOG = touching("INSERT INTO", "sessions_app_logentry")
RECEIPT = touching("INSERT INTO", "sessions_app_receipt")
REMOVAL = touching("DELETE FROM", "sessions_app_session")
OUTBOX_ENTRY = touching("INSERT INTO", "sessions_app_outbox")
OUTBOX_CLAIM = touching("UPDATE", "sessions_app_outbox")
OUTBOX_END = touching("DELETE FROM", "sessions_app_outbox")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A write: how it is sent with a key, what proves that it happened exactly once."""

    name: str
    send: Send
    check: Check
    points: Mapping[str, Point]


def keyed(key: str) -> dict[str, str]:
    """The headers of a request that may be repeated."""
    return {"Idempotency-Key": key}


def sends_message(api: Api, session_id: str, key: str) -> httpx.Response:
    """A user message."""
    return api.post(session_id, message("Run the shell command: echo once"), key=key)


def sends_interrupt(api: Api, session_id: str, key: str) -> httpx.Response:
    """An interrupt of whatever runs."""
    return api.post(session_id, {"type": "interrupt"}, key=key)


def creates(api: Api, session_id: str, key: str) -> httpx.Response:
    """A session without a host, told apart by a title that names the test's session."""
    body = {"agent_id": api.agent_id(), "title": f"born of {session_id}"}
    return api.http.post("/v1/sessions", json=body, headers=keyed(key))


def creates_on_a_host(api: Api, session_id: str, key: str) -> httpx.Response:
    """A session on the caller's host."""
    body = {"agent_id": api.agent_id(), "title": f"born of {session_id}", "host_id": "auto"}
    return api.http.post("/v1/sessions", json=body, headers=keyed(key))


def patches(api: Api, session_id: str, key: str) -> httpx.Response:
    """A new title and a label."""
    body = {"title": "Renamed", "labels": {"env": "prod"}}
    return api.http.patch(f"/v1/sessions/{session_id}", json=body, headers=keyed(key))


def deletes(api: Api, session_id: str, key: str) -> httpx.Response:
    """The end of the session."""
    return api.http.delete(f"/v1/sessions/{session_id}", headers=keyed(key))


def stores_an_item(api: Api, session_id: str, key: str) -> httpx.Response:
    """An item from outside, which no runner sees."""
    data = {
        "item_type": "message",
        "item_data": {"role": "user", "content": [{"type": "input_text", "text": "noted"}]},
        "source_id": f"note-{session_id}",
    }
    return api.post(session_id, {"type": "external_conversation_item", "data": data}, key=key)


def is_one_turn(api: Api, session_id: str) -> None:
    """The message, its call and its answer are there once, and the session rests."""
    api.wait_status(session_id, "idle", seconds=30)
    items = api.items(session_id)
    kinds = [item["type"] for item in items]
    assert kinds == ["message", "function_call", "function_call_output", "message"], kinds
    assert "once" in items[2]["output"]


def rests(api: Api, session_id: str) -> None:
    """Nothing runs."""
    api.wait_status(session_id, "idle", seconds=30)


def is_born_once(api: Api, session_id: str) -> None:
    """One session of that title."""
    found = api.get("/v1/sessions", limit=1000)["data"]
    assert sum(row.get("title") == f"born of {session_id}" for row in found) == 1


def is_renamed(api: Api, session_id: str) -> None:
    """Both changes hold, neither alone."""
    session = api.snapshot(session_id)
    assert (session["title"], session["labels"].get("env")) == ("Renamed", "prod")


def is_gone(api: Api, session_id: str) -> None:
    """The session answers 404."""
    assert api.http.get(f"/v1/sessions/{session_id}").status_code == httpx.codes.NOT_FOUND


def is_noted_once(api: Api, session_id: str) -> None:
    """One item."""
    assert len(api.items(session_id)) == 1


def after_insert(statement: str) -> Point:
    """The row is written, the transaction is open."""
    return Point(moment=Moment.AFTER_STATEMENT, match=statement)


def after_commit(statement: str) -> Point:
    """The transaction is durable, nobody has been told."""
    return Point(moment=Moment.AFTER_COMMIT, match=statement)


def before_acknowledgement(line: str) -> Point:
    """Everything is done but the answer."""
    return Point(moment=Moment.BEFORE_ANSWER, match=line)


def after_publish(event: str) -> Point:
    """A subscriber has been sent the event."""
    return Point(moment=Moment.AFTER_FRAME, match=f"event: {event}")


EVENTS = r"^POST /v1/sessions/[^/]+/events$"
CREATE = r"^POST /v1/sessions$"
PATCH = r"^PATCH /v1/sessions/[^/]+$"
DELETE = r"^DELETE /v1/sessions/[^/]+$"

ROUTES = (
    Route(
        name="message",
        send=sends_message,
        check=is_one_turn,
        points={
            "after insert": after_insert(ITEM),
            "after insert of the outbox row": after_insert(OUTBOX_ENTRY),
            "after commit": after_commit(OUTBOX_ENTRY),
            "before acknowledgement": before_acknowledgement(EVENTS),
            "after publish": after_publish("session.input.consumed"),
            "after the outbox row is claimed": after_commit(OUTBOX_CLAIM),
            "before the runner is told": Point(moment=Moment.BEFORE_SOCKET_TEXT, match="persisted_item_id"),
            "after the runner is told": Point(moment=Moment.AFTER_SOCKET_TEXT, match="persisted_item_id"),
            "before outbox delete": Point(moment=Moment.BEFORE_STATEMENT, match=OUTBOX_END),
            "after outbox delete": after_commit(OUTBOX_END),
        },
    ),
    Route(
        name="interrupt",
        send=sends_interrupt,
        check=rests,
        points={
            "after insert": after_insert(LOG),
            "before acknowledgement": before_acknowledgement(EVENTS),
            "after publish": after_publish("session.interrupted"),
        },
    ),
    Route(
        name="create",
        send=creates,
        check=is_born_once,
        points={
            "after insert": after_insert(SESSION),
            "after commit": after_commit(SESSION),
            "before acknowledgement": before_acknowledgement(CREATE),
        },
    ),
    Route(
        name="create on a host",
        send=creates_on_a_host,
        check=is_born_once,
        points={
            "after insert": after_insert(SESSION),
            "after commit": after_commit(SESSION),
            "before acknowledgement": before_acknowledgement(CREATE),
        },
    ),
    Route(
        name="patch",
        send=patches,
        check=is_renamed,
        points={
            "after update": after_insert(CHANGE),
            "after insert": after_insert(LABEL),
            "after commit": after_commit(LABEL),
            "before acknowledgement": before_acknowledgement(PATCH),
            "after publish": after_publish("session.title"),
        },
    ),
    Route(
        name="delete",
        send=deletes,
        check=is_gone,
        points={
            "after delete": after_insert(REMOVAL),
            "after commit": after_commit(REMOVAL),
            "before acknowledgement": before_acknowledgement(DELETE),
        },
    ),
    Route(
        name="external item",
        send=stores_an_item,
        check=is_noted_once,
        points={
            "after insert": after_insert(ITEM),
            "after insert of the receipt": after_insert(RECEIPT),
            "after commit": after_commit(ITEM),
            "before acknowledgement": before_acknowledgement(EVENTS),
        },
    ),
)

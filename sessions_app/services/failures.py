"""What is said of a failed turn: the error that runner or server gives, its item, and what is kept of it."""

from collections.abc import Mapping
from typing import Any

from omnigent.protocol import events, items
from sessions_app.models import Session
from sessions_app.services.item_forms import NewItem, flat_item
from sessions_app.services.tick import Tick

MAX_CODE = 64
RUNNER_DISCONNECTED = "runner_disconnected"
RUNNER_LOST = frozenset({RUNNER_DISCONNECTED, "runner_failed_to_start", "runner_unavailable"})


def readable_error(error: object) -> dict[str, Any]:
    """The error object of a failure, whatever the runner has said of it."""
    known: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    names = ("title", "cause", "remediation")
    words = {name: known[name] for name in names if isinstance(known.get(name), str)}
    message = known.get("message") or (error if isinstance(error, str) else "")
    code = str(known.get("code") or "turn_failed")[:MAX_CODE]
    return events.error_object(
        code, str(message or "The turn failed"), undelivered=known.get("undelivered"), **words
    )


def kept(error: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    """What the session keeps of an error, with the message that was not taken, if it is one's."""
    said = {key: value for key, value in error.items() if value is not None}
    return {**said, "item_id": item_id} if item_id else said


def store_error(
    tick: Tick, session: Session, error: Mapping[str, Any], *, response_id: str, source: str
) -> None:
    """Append the error item of a turn and show it."""
    data = items.parse_item(
        "error",
        {
            "source": source,
            "code": error["code"],
            "message": error["message"],
            "title": error.get("title"),
            "cause": error.get("cause"),
            "remediation": error.get("remediation"),
        },
    )
    item = tick.add_item(session, NewItem(data=data, response_id=response_id))
    tick.append(session, events.OutputItemDone(item=flat_item(item)))

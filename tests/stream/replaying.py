"""What a client that follows a session makes of a snapshot and the events after it."""

from collections.abc import Callable
from typing import Any

import orjson

from omnigent.protocol import items
from sessions_app import snapshot
from sessions_app.models import Session

Json = dict[str, Any]
SEEN = (
    "status",
    "title",
    "pending_elicitations",
    "last_task_error",
    "active_response_id",
    "llm_model",
    "reasoning_effort",
    "usage_by_model",
    "last_total_tokens",
    "context_window",
    "todos",
    "background_task_count",
    "background_tasks",
)


def take(session: Session) -> Json:
    """The snapshot as a client gets it."""
    shown = snapshot.read(session.pk, permission_level=None)
    assert shown is not None
    body: Json = orjson.loads(orjson.dumps(shown))
    return body


def seen(shown: Json) -> Json:
    """What events tell of: of an error not the item it belongs to, of an item its payload."""
    view = {name: shown[name] for name in SEEN}
    if view["last_task_error"] is not None:
        view["last_task_error"] = {k: v for k, v in view["last_task_error"].items() if k != "item_id"}
    view["items"] = [
        (item["id"], item["type"], payload(item["type"], item["data"])) for item in shown["items"]
    ]
    return view


def payload(kind: str, data: Json) -> Json:
    """An item's fields without the ones that are null."""
    return {key: data[key] for key in items.data_fields(kind) if data.get(key) is not None}


def replay(shown: Json, events: list[Json]) -> Json:
    """What a client that had this snapshot makes of these events."""
    view = orjson.loads(orjson.dumps(shown))
    for event in events:
        REDUCERS.get(event["type"], ignore)(view, event)
    return seen(view)


def ignore(view: Json, event: Json) -> None:
    """Changes nothing in a snapshot."""


def on_status(view: Json, event: Json) -> None:
    view["status"] = event["status"]
    view["active_response_id"] = None
    view["background_task_count"] = event["background_task_count"]
    view["background_tasks"] = event["background_tasks"]
    error = event["error"] or {}
    view["last_task_error"] = {k: v for k, v in error.items() if v is not None} or None


def on_item(view: Json, event: Json) -> None:
    item = event["item"]
    if str(item.get("id", "")).startswith("item_"):
        view["items"].append({"id": item["id"], "type": item["type"], "data": item})


def on_input(view: Json, event: Json) -> None:
    data = event["data"]
    view["items"].append({"id": data["item_id"], "type": data["type"], "data": data["data"]})


USAGE_KEYS = {
    "usage_by_model": "usage_by_model",
    "context_tokens": "last_total_tokens",
    "context_window": "context_window",
}


def on_usage(view: Json, event: Json) -> None:
    for name, key in USAGE_KEYS.items():
        if event[name] is not None:
            view[key] = event[name]


def on_question(view: Json, event: Json) -> None:
    asked = {key: event[key] for key in ("type", "elicitation_id", "method", "params")}
    known = [one["elicitation_id"] for one in view["pending_elicitations"]]
    if event["elicitation_id"] not in known:
        view["pending_elicitations"].append(asked)


def on_verdict(view: Json, event: Json) -> None:
    view["pending_elicitations"] = [
        one for one in view["pending_elicitations"] if one["elicitation_id"] != event["elicitation_id"]
    ]


REDUCERS: dict[str, Callable[[Json, Json], None]] = {
    "session.status": on_status,
    "session.title": lambda view, event: view.update(title=event["title"]),
    "session.model": lambda view, event: view.update(llm_model=event["model"]),
    "session.reasoning_effort": lambda view, event: view.update(reasoning_effort=event["reasoning_effort"]),
    "session.usage": on_usage,
    "session.todos": lambda view, event: view.update(todos=event["todos"]),
    "session.input.consumed": on_input,
    "response.in_progress": lambda view, event: view.update(active_response_id=event["response"]["id"]),
    "response.output_item.done": on_item,
    "response.elicitation_request": on_question,
    "response.elicitation_resolved": on_verdict,
}

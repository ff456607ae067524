"""Events as a runner sends them, and the rows that tests look at."""

from collections.abc import Mapping
from typing import Any

import orjson

from omnigent.protocol import sse
from sessions_app.events import log
from sessions_app.models import Item, Session
from sessions_app.services.item_forms import flat_item

Json = dict[str, Any]


def status(word: str, **more: Any) -> Json:
    """A status edge."""
    return {"type": "session.status", "status": word, **more}


def response(kind: str, response_id: str = "resp_a", **more: Any) -> Json:
    """An event of a response's life."""
    body = {"id": response_id, "object": "response", "status": kind, "model": "plain", "created_at": 1}
    return {"type": f"response.{kind}", "sequence_number": 1, "response": {**body, **more}}


def text(part: str) -> Json:
    """Some text."""
    return {"type": "response.output_text.delta", "delta": part}


def call(call_id: str = "call_1", state: str = "completed", **more: Any) -> Json:
    """A tool call."""
    item = {"id": "fc_1", "type": "function_call", "status": state, "name": "sys_os_shell", "agent": "plain"}
    return item_done({**item, "arguments": "{}", "call_id": call_id, **more})


def output(call_id: str = "call_1", result: str = "hi\n") -> Json:
    """A tool's output."""
    return item_done({"id": "fco_1", "type": "function_call_output", "call_id": call_id, "output": result})


def item_done(item: Json) -> Json:
    """An item."""
    return {"type": "response.output_item.done", "item": item}


def question(elicitation_id: str = "elicit_x") -> Json:
    """A question that parks a call."""
    params = {"mode": "url", "message": "May I?", "requestedSchema": {}, "url": "/approve/C/elicit_x"}
    return {"type": "response.elicitation_request", "elicitation_id": elicitation_id, "params": params}


USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "context_tokens": 15,
    "model": "mock-model",
}


def turn(answer: str, response_id: str = "resp_a") -> list[Json]:
    """A plain turn: its text comes word by word."""
    words = [text(word) for word in answer.split(" ")]
    return [
        status("running"),
        response("in_progress", response_id),
        *words,
        response("completed", response_id, usage=USAGE),
        status("idle"),
    ]


def logged(session_pk: int) -> list[Json]:
    """The whole log, as JSON."""
    return [orjson.loads(entry.data) for entry in log.read(session_pk, 0, 1_000_000)]


def types(session_pk: int) -> list[str]:
    """The types in the log, in order; a run of text counts once."""
    found: list[str] = []
    for event in logged(session_pk):
        name = shown(event)
        if not (name == "text" and found[-1:] == ["text"]):
            found.append(name)
    return found


def shown(event: Mapping[str, Any]) -> str:
    """A short name of an event."""
    name = str(event["type"])
    if name == "session.status":
        return f"status {event['status']}"
    if name == "response.output_item.done":
        item = event["item"]
        return f"{item['type']} {item['status']}"
    short = {"response.output_text.delta": "text"}
    return short.get(name, name.removeprefix("session.").removeprefix("response."))


def streamed(session_pk: int) -> str:
    """The text that the log's deltas add up to."""
    return "".join(
        event["delta"] for event in logged(session_pk) if event["type"] == "response.output_text.delta"
    )


def stored(session_pk: int) -> list[Json]:
    """The items, flat."""
    return [flat_item(item) for item in Item.objects.filter(session=session_pk).order_by("position")]


def said(session_pk: int) -> list[str]:
    """What the agent's messages say."""
    return [
        item["content"][0]["text"]
        for item in stored(session_pk)
        if item["type"] == "message" and item["role"] == "assistant"
    ]


def row(session_pk: int) -> Session:
    """The session as it is now."""
    return Session.objects.get(pk=session_pk)


def as_sse(event: Json, number: str | None = None) -> bytes:
    """An event as it travels on a runner's stream."""
    return sse.encode_data(orjson.dumps(event), number)

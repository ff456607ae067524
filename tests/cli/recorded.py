"""A session's events as a server sent them: thinking, a tool call, text, an approval, a failure."""

from collections.abc import Iterator, Mapping
from typing import Any

from omnigent_client import Session
from omnigent_client.decoding import read
from omnigent_client.events import Event, read_event

SESSION_ID = "conv_1"


def session(**members: Any) -> Session:
    """A snapshot."""
    values = {
        "id": SESSION_ID,
        "agent_id": "ag_1",
        "agent_name": "scripted",
        "status": "idle",
        "created_at": 1,
    }
    return read(Session, {**values, **members})


def event(kind: str, **members: Any) -> Event:
    """One event of a stream."""
    return read_event({"type": kind, "sequence_number": None, **members})


def took(text: str, item_id: str = "item_1", created_by: str | None = None) -> Event:
    """A message was stored."""
    content = [{"type": "input_text", "text": text}]
    data = {"role": "user", "content": content}
    return event(
        "session.input.consumed",
        data={"item_id": item_id, "type": "message", "data": data, "created_by": created_by},
    )


def began(response_id: str = "resp_1") -> Event:
    """A response begins."""
    return event("response.in_progress", response={"id": response_id, "status": "in_progress"})


def ended(how: str = "completed", error: Mapping[str, Any] | None = None) -> Event:
    """It ends."""
    return event(f"response.{how}", response={"id": "resp_1", "status": how, "error": error})


def delta(text: str) -> Event:
    """Some text."""
    return event("response.output_text.delta", delta=text)


def item(kind: str, item_id: str, **members: Any) -> Event:
    """An item is complete."""
    return event("response.output_item.done", item={"id": item_id, "type": kind, **members})


def said(text: str, item_id: str = "item_2") -> Event:
    """A message of the agent's is complete."""
    content = [{"type": "output_text", "text": text}]
    return item("message", item_id, role="assistant", content=content)


def asked(elicitation_id: str = "elicit_1", **params: Any) -> Event:
    """Somebody must decide."""
    params = {"mode": "url", "message": "May I?", "requestedSchema": {}, **params}
    return event("response.elicitation_request", elicitation_id=elicitation_id, params=params)


def tool_turn() -> Iterator[Event]:
    """A turn that thinks, calls a tool and reports."""
    call = {"call_id": "call_1", "name": "sys_os_shell", "arguments": '{"command": "echo hi"}'}
    yield took("Run the shell command: echo hi")
    yield event("session.status", conversation_id=SESSION_ID, status="running")
    yield began()
    yield event("response.reasoning.started")
    yield event("response.reasoning_text.delta", delta="Thinking. ")
    yield event("response.reasoning_text.delta", delta="Hmm. ")
    yield delta("I thought.\n")
    yield item("function_call", "fc_1", status="in_progress", **call)
    yield said("I thought.\n", "item_2")
    yield item("function_call", "item_3", status="completed", **call)
    yield item("function_call_output", "item_4", call_id="call_1", output="hi\n")
    yield delta("The tool")
    yield delta(" answered:\n\nhi\n")
    yield said("The tool answered:\n\nhi\n", "item_5")
    yield event("session.usage", conversation_id=SESSION_ID, context_tokens=28, total_cost_usd=0.5)
    yield ended()
    yield event("session.status", conversation_id=SESSION_ID, status="idle")

"""Rows that dashboard tests look at, built the way the services build them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents_app.models import Agent
from agents_app.storage import save_bundle
from omnigent.protocol import events, items
from sessions_app.models import Elicitation, Host, Lease, Session, TunnelKind
from sessions_app.services.item_forms import NewItem
from sessions_app.services.tick import tick_of

RESPONSE = "resp_1"


def an_agent(name: str = "coder", **fields: Any) -> Agent:
    """An agent whose bundle lies in the store; nobody reads it here."""
    save_bundle("0", b"a bundle")
    values = {"harness": "scripted", "digest": "0", "is_builtin": True, "created_at": timezone.now()}
    return Agent.objects.create(name=name, **{**values, **fields})


def a_session(agent: Agent | None = None, **fields: Any) -> Session:
    return Session.objects.create(agent=agent or an_agent(), **fields)


def a_child(parent: Session, title: str, **fields: Any) -> Session:
    """A sub-agent's session."""
    return Session.objects.create(
        agent=parent.agent, parent=parent, root=parent, kind="sub_agent", title=title, **fields
    )


def a_host(
    name: str = "studio", *, is_online: bool = True, harnesses: Mapping[str, object] | None = None
) -> Host:
    now = timezone.now()
    host = Host.objects.create(
        public_id=f"host-{name}",
        name=name,
        owner="local",
        created_at=now,
        configured_harnesses=harnesses or {"scripted": True},
    )
    if is_online:
        Lease.objects.create(
            kind=TunnelKind.HOST,
            name=host.public_id,
            holder="test",
            address="test",
            renewed_at=now,
            expires_at=now + timedelta(minutes=5),
        )
    return host


def an_item(session: Session, kind: str, data: Mapping[str, Any], response_id: str = RESPONSE) -> str:
    with tick_of([session.pk]) as tick:
        new = NewItem(data=items.parse_item(kind, data), response_id=response_id)
        return tick.add_item(tick.sessions[session.pk], new).public_id


def a_user_message(session: Session, text: str) -> str:
    content = [{"type": "input_text", "text": text}]
    return an_item(session, "message", {"role": "user", "content": content, "user_authored": True}, "turn_1")


def an_answer(session: Session, text: str, **more: Any) -> str:
    content = [{"type": "output_text", "text": text}]
    return an_item(session, "message", {"role": "assistant", "agent": "coder", "content": content, **more})


def a_call(session: Session, call_id: str, arguments: str = '{"command":"ls"}') -> str:
    data = {"agent": "coder", "name": "sys_os_shell", "arguments": arguments, "call_id": call_id}
    return an_item(session, "function_call", data)


def an_output(session: Session, call_id: str, output: str) -> str:
    return an_item(session, "function_call_output", {"call_id": call_id, "output": output})


def a_question(session: Session, **params: Any) -> Elicitation:
    shown = {"mode": "url", "message": "Run it?", "requestedSchema": {}, "content_preview": "rm x", **params}
    question = Elicitation(session=session, created_at=timezone.now())
    question.request = {
        "type": "response.elicitation_request",
        "elicitation_id": question.public_id,
        "method": "elicitation/create",
        "params": shown,
    }
    question.save()
    return question


def logged(session: Session, *shown: events.Event) -> None:
    with tick_of([session.pk]) as tick:
        for event in shown:
            tick.append(tick.sessions[session.pk], event)


def a_call_begun(call_id: str, status: str = "in_progress") -> events.Event:
    return events.OutputItemDone(
        item={
            "id": f"fc_{call_id}",
            "type": "function_call",
            "status": status,
            "name": "sys_os_shell",
            "arguments": '{"command":"sleep 60"}',
            "call_id": call_id,
        }
    )

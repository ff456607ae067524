"""Rows for tests, built by plain functions with sensible defaults."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from agents_app.models import Agent
from agents_app.services import register_builtin
from omnigent.ids import mint, runner_id_for
from omnigent.protocol import items
from sessions_app.models import Elicitation, Grant, Host, Kind, Lease, Runner, Session, SessionLabel
from sessions_app.services.item_forms import NewItem
from sessions_app.services.tick import tick_of

OWNER = "local"


def make_agent(name: str = "helper", **fields: Any) -> Agent:
    """A built-in agent without a stored bundle."""
    values = {"harness": "scripted", "digest": "0" * 64, "is_builtin": True, "created_at": timezone.now()}
    return Agent.objects.create(name=name, **{**values, **fields})


def make_bundled_agent(name: str = "helper", prompt: str = "Help.") -> Agent:
    """A built-in agent registered from a document, bundle included."""
    document = f"name: {name}\ndescription: A test agent\nprompt: {prompt}\nexecutor:\n  harness: scripted\n"
    return register_builtin(files={f"{name}.yaml": document.encode()})


def make_session(agent: Agent | None = None, *, owner: str = OWNER, **fields: Any) -> Session:
    """A session with its owner's grant; an agent is made when none is given."""
    session = Session.objects.create(agent=agent or make_agent(mint("a")), created_by=owner, **fields)
    Grant.objects.create(session=session, user_id=owner, level=4)
    return session


def make_child(parent: Session, title: str, **fields: Any) -> Session:
    """A sub-agent session, with no grant of its own."""
    return Session.objects.create(
        agent=parent.agent,
        parent=parent,
        root_id=parent.root_id or parent.pk,
        kind=Kind.SUB_AGENT,
        title=title,
        **fields,
    )


def label(session: Session, **labels: str) -> None:
    """Put labels on a session."""
    SessionLabel.objects.bulk_create(
        [SessionLabel(session=session, key=key, value=value) for key, value in labels.items()]
    )


def user_said(session: Session, text: str) -> str:
    """Append a user's message; returns its item id."""
    message = items.Message(role="user", content=[{"type": "input_text", "text": text}], user_authored=True)
    return add_item(session, message, response_id=mint("turn"))


def agent_said(session: Session, text: str) -> str:
    """Append the agent's message; returns its item id."""
    content = [{"type": "output_text", "text": text}]
    return add_item(session, items.Message(role="assistant", content=content, agent="helper"))


def add_item(session: Session, data: items.ItemData, *, response_id: str = "resp_1") -> str:
    """Append any item; returns its id."""
    with tick_of([session.pk]) as tick:
        item = tick.add_item(tick.sessions[session.pk], NewItem(data=data, response_id=response_id))
    return item.public_id


def ask(session: Session, **params: Any) -> Elicitation:
    """A question that waits for a person."""
    public_id = mint("elicit")
    request: Mapping[str, Any] = {
        "type": "response.elicitation_request",
        "elicitation_id": public_id,
        "method": "elicitation/create",
        "params": {"mode": "url", "message": "May I?", **params},
    }
    return Elicitation.objects.create(
        session=session, public_id=public_id, request=request, created_at=timezone.now()
    )


def make_host(*, owner: str = OWNER, online: bool = True, **fields: Any) -> Host:
    """A registered host."""
    values = {"name": "vm", "configured_harnesses": {"scripted": True}, "created_at": timezone.now()}
    host = Host.objects.create(**{"public_id": mint("x")[2:], "owner": owner, **values, **fields})
    if online:
        make_lease("host", host.public_id)
    return host


def make_runner(token: str = "secret", *, owner: str = OWNER, online: bool = True, **fields: Any) -> Runner:
    """A registered runner, whose id is derived from its binding token."""
    values = {"harnesses": ["scripted"], "created_at": timezone.now(), "said_hello_at": timezone.now()}
    runner = Runner.objects.create(**{"public_id": runner_id_for(token), "owner": owner, **values, **fields})
    if online:
        make_lease("runner", runner.public_id)
    return runner


def make_lease(kind: str, name: str, *, renewed_at: datetime | None = None) -> Lease:
    """An open tunnel, held by a process that is not this one."""
    renewed = renewed_at or timezone.now()
    return Lease.objects.create(
        kind=kind,
        name=name,
        generation=1,
        holder="elsewhere",
        address="http://127.0.0.1:9",
        renewed_at=renewed,
        expires_at=renewed + timedelta(seconds=settings.OMNIGENT_LEASE_SECONDS),
    )

"""Sub-agents that a harness starts by itself: each becomes a session below the one that reports it."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import inputs
from sessions_app.models import Session
from sessions_app.services.sessions import NewSession, create_child

if TYPE_CHECKING:
    from sessions_app.services.inputs import Input

MAX_TITLE = 200
MAX_TYPE = 100
MAX_ID = 256


def start(given: "Input") -> Mapping[str, Any]:
    """The sub-agent's session, made when its `subagent_id` is new. The parent's lock makes that once."""
    report: inputs.ExternalSubagentStart = given.payload
    parent = given.session
    external_id = _external_id(report.subagent_id)
    children = Session.objects.filter(parent=parent)
    known = children.filter(external_session_id=external_id).values_list("public_id", flat=True).first()
    if known is None:
        known = _create(given, report, external_id)
    return {"queued": False, "child_session_id": known}


def _create(given: "Input", report: inputs.ExternalSubagentStart, external_id: str) -> str:
    parent = given.session
    if parent.agent is None:
        raise OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The session has no agent")
    kind = " ".join((report.agent_type or "").split())[:MAX_TYPE]
    new = NewSession(
        agent=parent.agent,
        parent=parent,
        sub_agent_name=kind,
        title=_free_title(parent, kind or parent.agent.name, report.description or report.subagent_id),
        external_session_id=external_id,
    )
    return create_child(given.tick, new=new, owner=parent.created_by).public_id


def _external_id(subagent_id: str) -> str:
    if not subagent_id.strip():
        raise OmnigentError(
            ErrorCode.INVALID_INPUT,
            "Invalid data payload for event type 'external_subagent_start': subagent_id: must not be empty",
        )
    if len(subagent_id) > MAX_ID:
        return f"sha256:{hashlib.sha256(subagent_id.encode()).hexdigest()}"
    return subagent_id


def _free_title(parent: Session, kind: str, description: str) -> str:
    """`kind:description`, with a number behind it when a sibling has that title."""
    wanted = f"{kind}:{' '.join(description.split())}"
    taken = set(Session.objects.filter(parent=parent).values_list("title", flat=True))
    title, number = _cut(wanted, MAX_TITLE), 1
    while title in taken:
        number += 1
        mark = f" ({number})"
        title = _cut(wanted, MAX_TITLE - len(mark)) + mark
    return title


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1].rstrip() + "…"

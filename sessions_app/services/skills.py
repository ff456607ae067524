"""Whose skills people may be shown."""

from typing import Any

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.models import Session, TunnelKind
from sessions_app.services import access, hosts, presence
from sessions_app.services.access import Level
from sessions_app.services.messages import require_agent


def of_session(principal: Principal, session_id: str) -> list[dict[str, Any]]:
    """Those of the session's agent. Raises 404, and SESSION_AGENT_MISSING."""
    found = access.require(principal, session_id, Level.READ)
    session = Session.objects.select_related("agent").filter(pk=found.pk).first()
    if session is None:
        raise access.not_found()
    require_agent(session)
    rows: list[dict[str, Any]] = session.agent.details.get("skills", [])
    return rows


def host_to_ask(principal: Principal, text: str) -> str:
    """The id of a host of the caller's own that can be asked now. Raises 404 and HOST_OFFLINE.

    A runner may not look around on its owner's machines.
    """
    try:
        host = None if principal.runner_id else hosts.named(principal, text)
    except OmnigentError:
        host = None
    if host is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Host not found")
    if not presence.is_online(TunnelKind.HOST, host.public_id):
        raise OmnigentError(ErrorCode.HOST_OFFLINE, "The host is offline")
    return host.public_id

"""Terminals belong to a session's runner: where to ask for them, and who may."""

import re
from dataclasses import dataclass

from omnigent.accounts.identity import Principal, recognise
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.services.access import Level, require

TERMINAL_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
ECHO = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A session's terminals: the runner that has them, and their path there."""

    session_id: str
    runner_id: str

    @property
    def path(self) -> str:
        """All of them."""
        return f"/v1/sessions/{self.session_id}/resources/terminals"


def place(principal: Principal, session_id: str, level: Level) -> Place:
    """Where a session's terminals are. Raises 404 and 403 as the session does, 409 without a runner."""
    found = require(principal, session_id, level)
    if not found.runner_id:
        raise OmnigentError(ErrorCode.CONFLICT, "The session has no runner yet; send it a message first")
    return Place(session_id=found.public_id, runner_id=found.runner_id)


def terminal_id_of(text: str) -> str:
    """An id that may stand in a path; others name nothing."""
    if TERMINAL_ID.fullmatch(text) is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, f"Terminal '{text[:ECHO]}' not found")
    return text


def may_stay(principal: Principal, session_id: str, level: Level) -> bool:
    """Whether somebody who is let in may still be there; credentials and grants end meanwhile."""
    current = recognise(principal)
    if current is None:
        return False
    try:
        require(current, session_id, level)
    except OmnigentError:
        return False
    return True

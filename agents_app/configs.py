"""The editable part of an agent, and the tag that names its state."""

import re
from typing import Any

from agents_app.models import Agent
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.spec import AgentSpec

PRECONDITION_FAILED, PRECONDITION_REQUIRED = 412, 428
_TAGS = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*')
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


def config_object(agent: Agent, spec: AgentSpec) -> dict[str, Any]:
    """What GET and PATCH answer."""
    return {
        "id": agent.public_id,
        "object": "agent.config",
        "name": agent.name,
        "version": agent.version,
        "description": spec.description,
        "instructions": spec.instructions,
        "model": spec.model,
        "harness": spec.shown_harness,
        "mcp_servers": [server.public() for server in spec.mcp_servers],
        "editable": not agent.is_builtin,
        "etag": etag_of(agent),
    }


def etag_of(agent: Agent) -> str:
    """The strong entity tag of the agent's present content."""
    return f'"{agent.version}.{agent.digest[:16]}"'


def check_precondition(agent: Agent, if_match: str | None) -> None:
    """Raise unless the caller knows what it is about to change: 428, 400 or 412."""
    if if_match is None:
        raise OmnigentError(
            ErrorCode.INVALID_INPUT,
            "If-Match is required: send the ETag of GET /v1/agents/{id}/config",
            status=PRECONDITION_REQUIRED,
        )
    if if_match.strip() == "*":
        return
    if _TAGS.fullmatch(if_match) is None:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "If-Match is no list of entity tags")
    # A weak tag never matches here: the change builds on every byte.
    if etag_of(agent) not in _TAG.findall(if_match):
        raise stale()


def stale() -> OmnigentError:
    """The answer to a change of what somebody else has changed meanwhile."""
    return OmnigentError(
        ErrorCode.CONFLICT, "The agent has changed; read it again", status=PRECONDITION_FAILED
    )

"""Agents that a caller may use, their bundles, and what is in them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from agents_app.models import Agent
from agents_app.specs import specs_here
from agents_app.storage import MissingBundleError, read_bundle
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT, canonical
from omnigent.spec import AgentSpec, InvalidAgentError, bundle

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """An agent's bundle and what its receiver is told about it."""

    agent_id: str
    name: str
    version: int
    is_builtin: bool
    data: bytes


def bindable(*, agent_id: str, user_id: str) -> Agent:
    """The agent that a new session may be bound to: the operator's, or the caller's own. Raises NOT_FOUND."""
    public_id = canonical(AGENT, agent_id)
    agent = Agent.objects.readable_by(user_id).filter(public_id=public_id).first() if public_id else None
    if agent is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, f"Agent not found: '{agent_id}'")
    return agent


def contents(agent: Agent) -> Contents:
    """The agent's bundle. Raises SESSION_AGENT_MISSING when the agent is deleted or the store has lost it."""
    if agent.deleted_at is not None:
        raise OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The agent has been deleted")
    try:
        data = read_bundle(agent.digest)
    except MissingBundleError:
        logger.error("bundle_missing", extra={"agent": agent.public_id, "digest": agent.digest})
        raise missing() from None
    return Contents(
        agent_id=agent.public_id,
        name=agent.name,
        version=agent.version,
        is_builtin=agent.is_builtin,
        data=data,
    )


def missing() -> OmnigentError:
    """The answer to whoever needs a bundle that is gone."""
    return OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The agent's bundle is missing")


def spec_of(agent: Agent) -> AgentSpec:
    """The agent, parsed. Raises SESSION_AGENT_MISSING for a bundle that is lost or unreadable."""
    try:
        return specs_here().spec(agent.digest)
    except MissingBundleError:
        raise missing() from None
    except InvalidAgentError as error:
        raise unreadable(agent, error) from None


def files_of(agent: Agent) -> Mapping[str, bytes]:
    """The files of the agent's bundle. Raises SESSION_AGENT_MISSING."""
    try:
        return bundle.unpack(contents(agent).data)
    except InvalidAgentError as error:
        raise unreadable(agent, error) from None


def unreadable(agent: Agent, error: InvalidAgentError) -> OmnigentError:
    """Note for the operator, and for lists, that this content cannot be read; the answer to the caller."""
    logger.error("bundle_unreadable", extra={"agent": agent.public_id, "digest": agent.digest})
    Agent.objects.filter(digest=agent.digest).update(load_error=str(error)[:2000])
    return OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The agent's bundle cannot be read")

"""The agent that a session runs: fetched from the server, read once per content."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from omnigent.runner.api import ServerApi, ServerRefused
from omnigent.spec import bundle, calling
from omnigent.spec.types import AgentSpec, InvalidAgentError


class AgentMissing(Exception):
    """The session's agent no longer exists."""


class AgentInvalid(Exception):
    """The session's agent cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedAgent:
    """A specification, the digest of the bundle it was read from, and its skills' instructions by name."""

    spec: AgentSpec
    digest: str
    skills: Mapping[str, str] = field(default_factory=dict)

    def for_sub_agent(self, name: str | None) -> AgentSpec:
        """The specification of a sub-agent it declares, itself when it declares no such."""
        return next((spec for spec in self.spec.sub_agents if spec.name == name), self.spec)


class Agents:
    """Agents of this process by the digest of their bundle."""

    def __init__(self, api: ServerApi) -> None:
        self._api = api
        self._read: dict[str, LoadedAgent] = {}

    async def load(self, session_id: str) -> LoadedAgent:
        """Raises AgentMissing, AgentInvalid, ServerRefused or ServerUnreachable."""
        try:
            contents = await self._api.agent_contents(session_id)
        except ServerRefused as exc:
            if exc.status == 404:
                raise AgentMissing(str(exc)) from exc
            raise
        digest = sha256(contents.data).hexdigest()
        if digest not in self._read:
            try:
                self._read[digest] = await asyncio.to_thread(_read, contents.data, digest)
            except InvalidAgentError as exc:
                raise AgentInvalid(str(exc)) from exc
        return self._read[digest]


def _read(data: bytes, digest: str) -> LoadedAgent:
    return LoadedAgent(spec=bundle.read(data), digest=digest, skills=calling.callable_skills(data))

"""The agent that a session runs: fetched from the server, read once per content."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from omnigent.runner.api import AgentContents, ServerApi, ServerRefused
from omnigent.spec import bundle, calling
from omnigent.spec.types import AgentSpec, InvalidAgentError


class AgentMissing(Exception):
    """The session's agent no longer exists."""


class AgentInvalid(Exception):
    """The session's agent cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedAgent:
    """A specification, the digest of the bundle it was read from, its skills' instructions by name, and by
    path its Python files and the documents beside them. `is_operators` tells that variables may be expanded.
    """

    spec: AgentSpec
    digest: str
    skills: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, bytes] = field(default_factory=dict)
    is_operators: bool = False

    def for_sub_agent(self, name: str | None) -> AgentSpec:
        """The specification of the sub-agent of this name anywhere below it, itself when there is none."""
        return (self.spec.sub_agent(name) if name else None) or self.spec


class Agents:
    """Agents of this process by the digest of their bundle and whether the operator wrote it."""

    def __init__(self, api: ServerApi) -> None:
        self._api = api
        self._read: dict[tuple[str, bool], LoadedAgent] = {}

    async def load(self, session_id: str) -> LoadedAgent:
        """Raises AgentMissing, AgentInvalid, ServerRefused or ServerUnreachable."""
        try:
            contents = await self._api.agent_contents(session_id)
        except ServerRefused as exc:
            if exc.status == 404:
                raise AgentMissing(str(exc)) from exc
            raise
        digest = sha256(contents.data).hexdigest()
        key = (digest, contents.is_operators)
        if key not in self._read:
            try:
                self._read[key] = await asyncio.to_thread(_read, contents, digest)
            except InvalidAgentError as exc:
                raise AgentInvalid(str(exc)) from exc
        return self._read[key]


def _read(contents: AgentContents, digest: str) -> LoadedAgent:
    data = contents.data
    return LoadedAgent(
        spec=bundle.read(data, lenient=True),
        digest=digest,
        skills=calling.callable_skills(data),
        code={path: content for path, content in bundle.unpack(data).items() if _is_code(path, content)},
        is_operators=contents.is_operators,
    )


def _is_code(path: str, content: bytes) -> bool:
    if len(content) > bundle.MAX_DOCUMENT_BYTES:
        return False
    return path.endswith(".py") or path.rpartition("/")[2] == "config.yaml"

"""The agent that a session runs: fetched from the server, read once per content."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from omnigent.runner.api import AgentContents, ServerApi, ServerRefused
from omnigent.runner.skill_shelf import MAX_FILE_BYTES, Shelf, shelf_of
from omnigent.spec import bundle
from omnigent.spec.document import load_mapping
from omnigent.spec.types import AgentSpec, InvalidAgentError

log = logging.getLogger(__name__)

MAX_SKILL_BYTES: Final = 32 * 1024 * 1024
_DOCUMENT: Final = "config.yaml"


class AgentMissing(Exception):
    """The session's agent no longer exists."""


class AgentInvalid(Exception):
    """The session's agent cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedAgent:
    """A specification, the digest of the bundle it was read from, what its skills say that people may call,
    and by path its Python files and the documents beside them, and the files of skills, None for those that
    are too large. `shelf` has all its skills. `is_operators` tells that variables may be expanded.
    """

    spec: AgentSpec
    digest: str
    skills: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, bytes] = field(default_factory=dict)
    skill_files: Mapping[str, bytes | None] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    is_operators: bool = False

    def for_sub_agent(self, name: str | None) -> AgentSpec:
        """The specification of the sub-agent of this name anywhere below it, itself when there is none."""
        return (self.spec.sub_agent(name) if name else None) or self.spec

    def with_skills(self, spec: AgentSpec, roots: Sequence[Path]) -> "LoadedAgent":
        """The same with the skills of this part of it, and those it wants that are offered below `roots`.

        Looks at the disk.
        """
        shelf = shelf_of(spec, self.skill_files, self.directory(spec), roots)
        return replace(self, shelf=shelf, skills=shelf.for_people)

    def directory(self, spec: AgentSpec) -> str:
        """Where a sub-agent stands in the bundle; at its root the agent itself, clones and inline ones."""
        if spec.name == self.spec.name:
            return ""
        for path, content in self.code.items():
            directory, _, name = path.rpartition("/")
            if name != _DOCUMENT or not directory.startswith("agents/"):
                continue
            try:
                named = load_mapping(content, name=path).get("name")
            except InvalidAgentError:
                continue
            if (named or directory.rpartition("/")[2]) == spec.name:
                return directory
        return ""


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
                read = await asyncio.to_thread(_read, contents, digest)
            except InvalidAgentError as exc:
                raise AgentInvalid(str(exc)) from exc
            if all(known != digest for known, _ in self._read):
                for warning in read.spec.warnings:
                    log.warning("agent read in part", extra={"digest": digest, "warning": warning})
            self._read[key] = read
        return self._read[key]


def _read(contents: AgentContents, digest: str) -> LoadedAgent:
    files = bundle.unpack(contents.data)
    agent = LoadedAgent(
        spec=bundle.read(contents.data, lenient=True),
        digest=digest,
        code={path: content for path, content in files.items() if _is_code(path, content)},
        skill_files=_skill_files(files),
        is_operators=contents.is_operators,
    )
    return agent.with_skills(agent.spec, ())


def _skill_files(files: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """What stands in the skill directories of all agents of a bundle, within a bound in all."""
    kept: dict[str, bytes | None] = {}
    left = MAX_SKILL_BYTES
    for path, content in files.items():
        if not path.startswith("skills/") and not (path.startswith("agents/") and "/skills/" in path):
            continue
        is_small = len(content) <= min(MAX_FILE_BYTES, left)
        kept[path] = content if is_small else None
        left -= len(content) if is_small else 0
    return kept


def _is_code(path: str, content: bytes) -> bool:
    if len(content) > bundle.MAX_DOCUMENT_BYTES:
        return False
    return path.endswith(".py") or path.rpartition("/")[2] == _DOCUMENT

"""The only writers of agents: registering what the operator ships, and what a session brings along."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents_app import seeding
from agents_app.models import Agent
from agents_app.storage import MissingBundleError, read_bundle, save_bundle
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT, canonical
from omnigent.spec import AgentSpec, InvalidAgentError, bundle

logger = logging.getLogger(__name__)

LISTS = ("mcp_servers", "policies", "skills", "terminals")
OBJECT_COLUMNS = (
    "public_id",
    "name",
    "version",
    "description",
    "harness",
    "created_at",
    "updated_at",
    "details",
    "is_builtin",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """An agent's bundle and what its receiver is told about it."""

    agent_id: str
    name: str
    version: int
    is_builtin: bool
    data: bytes


def builtin_id(name: str) -> str:
    """The id of an operator's agent: the same on every server and after every seeding."""
    return f"{AGENT}_{hashlib.sha256(f'builtin:{name}'.encode()).hexdigest()[:32]}"


def register_builtin(*, files: Mapping[str, bytes]) -> Agent:
    """Register an operator's agent under its name, or give it new content. Raises InvalidAgentError.

    The version counts changes of content; the same content changes nothing, but its bundle is stored again
    when it has vanished.
    """
    spec = bundle.spec_of(files)
    digest = bundle.digest(files)
    save_bundle(digest, bundle.pack(files))
    public_id = builtin_id(spec.name)
    values = _columns(spec)
    with transaction.atomic():
        now = timezone.now()
        agent, created = Agent.objects.get_or_create(
            public_id=public_id,
            defaults={**values, "name": spec.name, "digest": digest, "is_builtin": True, "created_at": now},
        )
        if created:
            return agent
        known = Agent.objects.filter(pk=agent.pk, digest=agent.digest)
        if agent.digest != digest:
            known.update(**values, digest=digest, version=F("version") + 1, updated_at=now)
        elif any(getattr(agent, column) != value for column, value in values.items()):
            # The same content, read by a newer server.
            known.update(**values)
    agent.refresh_from_db()
    return agent


def seed(places: Iterable[Path] | None = None) -> list[Agent]:
    """Register every agent of these places, by default the shipped ones and the environment's."""
    chosen = (seeding.SHIPPED, *settings.OMNIGENT_BUILTIN_AGENT_DIRS) if places is None else places
    registered: list[Agent] = []
    for source in seeding.sources(chosen):
        try:
            registered.append(register_builtin(files=source.files))
        except InvalidAgentError as error:
            logger.warning("agent_skipped", extra={"path": str(source.path), "reason": str(error)})
    return registered


def uploaded(*, data: bytes, created_by: str) -> Agent:
    """The agent of an uploaded bundle, for one session. The bundle is stored; the row is left to the caller,
    to be saved together with that session. Raises InvalidAgentError.
    """
    files = _unwrapped(bundle.unpack(data))
    spec = bundle.spec_of(files)
    digest = bundle.digest(files)
    save_bundle(digest, bundle.pack(files))
    return Agent(
        **_columns(spec), name=spec.name, digest=digest, created_by=created_by, created_at=timezone.now()
    )


def _unwrapped(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Without the one directory around everything that some archivers add."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or not all("/" in path for path in files):
        return files
    return {path.partition("/")[2]: content for path, content in files.items()}


def _columns(spec: AgentSpec) -> dict[str, Any]:
    public = spec.public()
    return {
        "description": spec.description or "",
        "harness": public["harness"],
        "model": spec.model or "",
        "details": {
            **{name: public[name] for name in LISTS},
            "reasoning_effort": spec.reasoning_effort,
            "context_window": spec.context_window,
        },
    }


def bindable(*, agent_id: str, user_id: str) -> Agent:
    """The agent that a new session may be bound to: the operator's, or the caller's own. Raises NOT_FOUND."""
    public_id = canonical(AGENT, agent_id)
    agent = Agent.objects.filter(public_id=public_id).first() if public_id else None
    if agent is None or not (agent.is_builtin or agent.created_by == user_id):
        raise OmnigentError(ErrorCode.NOT_FOUND, f"Agent not found: '{agent_id}'")
    return agent


def contents(agent: Agent) -> Contents:
    """The agent's bundle. Raises SESSION_AGENT_MISSING when the store has lost it."""
    try:
        data = read_bundle(agent.digest)
    except MissingBundleError:
        logger.error("bundle_missing", extra={"agent": agent.public_id, "digest": agent.digest})
        raise OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The agent's bundle is missing") from None
    return Contents(
        agent_id=agent.public_id,
        name=agent.name,
        version=agent.version,
        is_builtin=agent.is_builtin,
        data=data,
    )


def agent_object(row: tuple[Any, ...]) -> dict[str, Any]:
    """An agent as the API shows it, from its OBJECT_COLUMNS."""
    public_id, name, version, description, harness, created_at, updated_at, details, is_builtin = row
    return {
        "id": public_id,
        "object": "agent",
        "name": name,
        "version": version,
        "description": description or None,
        "harness": harness,
        "created_at": int(created_at.timestamp()),
        "updated_at": None if updated_at is None else int(updated_at.timestamp()),
        **{list_name: details.get(list_name, []) for list_name in LISTS},
        "builtin": is_builtin,
        "mcp_servers_editable": False,
        "mcp_registry_editable": False,
    }

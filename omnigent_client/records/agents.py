"""Agents, policies and the catalogue of policy handlers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigent_client.decoding import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent(Record):
    """A registered agent; the lists hold the server's own objects, secrets left out."""

    id: str
    name: str
    created_at: int | None = None
    updated_at: int | None = None
    version: int | None = None
    description: str | None = None
    harness: str | None = None
    mcp_servers: tuple[Mapping[str, Any], ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    skills: tuple[Mapping[str, Any], ...] = ()
    terminals: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy(Record):
    """A server-wide or session policy. Without `id` it comes from a file and cannot be changed."""

    name: str
    handler: str
    id: str | None = None
    type: str | None = None
    enabled: bool = True
    source: str | None = None
    factory_params: Mapping[str, Any] | None = None
    created_at: int | None = None
    updated_at: int | None = None
    created_by: str | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyHandler(Record):
    """An entry of the catalogue; `params_schema` is a JSON schema, empty for a handler without parameters."""

    handler: str
    kind: str | None = None
    name: str | None = None
    description: str | None = None
    params_schema: Mapping[str, Any] | None = None

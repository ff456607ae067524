"""Agents as the API shows them: from columns alone, so that a list unpacks nothing."""

from typing import Any

from agents_app.specs import specs_here
from omnigent.spec import AgentSpec

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
    "digest",
    "bundle_bytes",
    "load_error",
)


def agent_object(row: tuple[Any, ...]) -> dict[str, Any]:
    """An agent as the API shows it, from its OBJECT_COLUMNS. One whose bundle is lost, torn or unreadable
    has no harness and empty lists.
    """
    public_id, name, version, description, harness, created_at, updated_at, details, is_builtin = row[:9]
    digest, bundle_bytes, load_error = row[9:]
    is_loadable = not load_error and specs_here().is_whole(digest, bundle_bytes)
    return {
        "id": public_id,
        "object": "agent",
        "name": name,
        "version": version,
        "description": description or None,
        "harness": harness if is_loadable else None,
        "created_at": int(created_at.timestamp()),
        "updated_at": None if updated_at is None else int(updated_at.timestamp()),
        **{each: details.get(each, []) if is_loadable else [] for each in LISTS},
        "builtin": is_builtin,
        "mcp_servers_editable": not is_builtin,
        "mcp_registry_editable": not is_builtin,
    }


def columns_of(spec: AgentSpec) -> dict[str, Any]:
    """What a row keeps of its agent, so that nobody has to unpack the bundle to show it."""
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

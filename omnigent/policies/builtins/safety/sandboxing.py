"""Start agents only in the sandbox that the operator chose."""

from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.policies.builtins.parameters import one_of, texts
from omnigent.policies.calls import Answer, Event, Handler, allow, call_of

START = "sys_agent_start"
SANDBOX_TYPES = ("linux_bwrap", "darwin_seatbelt", "none")
_KEYS = frozenset(
    {
        *("type", "read_paths", "write_paths", "write_files", "allow_network", "cwd_allow_hidden"),
        *("env_passthrough", "egress_rules", "egress_allow_private_destinations"),
        *("cwd_hidden_scan_max_entries", "cwd_hidden_scan_overflow"),
    }
)


def enforce_sandbox(
    *,
    sandbox_type: str = "linux_bwrap",
    allow_network: bool = True,
    write_paths: Sequence[str | Mapping[str, Any]] | None = None,
    read_paths: Sequence[str] | None = None,
    env_passthrough: Sequence[str] | None = None,
) -> Handler:
    """Rewrite the sandbox of every agent that is started; parameters left out keep the agent's own value."""
    if not isinstance(allow_network, bool):
        raise ValueError("allow_network must be true or false")
    overrides: dict[str, Any] = {
        "type": one_of("sandbox_type", sandbox_type, SANDBOX_TYPES),
        "allow_network": allow_network,
    }
    if write_paths is not None:
        overrides["write_paths"] = _write_paths(write_paths)
    if read_paths is not None:
        overrides["read_paths"] = list(texts("read_paths", read_paths))
    if env_passthrough is not None:
        overrides["env_passthrough"] = list(texts("env_passthrough", env_passthrough))

    def rewrite(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None or call.name != START:
            return None
        asked = call.arguments.get("sandbox")
        own = asked if isinstance(asked, Mapping) else {}
        sandbox = {key: value for key, value in own.items() if key in _KEYS} | overrides
        return allow(data={"name": START, "arguments": {**call.arguments, "sandbox": sandbox}})

    return rewrite


def _write_paths(value: object) -> list[str | dict[str, Any]]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("write_paths must be a list")
    return [_write_path(item) for item in value]


def _write_path(item: object) -> str | dict[str, Any]:
    if isinstance(item, str):
        return item
    if not isinstance(item, Mapping) or not isinstance(item.get("path"), str):
        raise ValueError("each of write_paths must be a path or an object with a path")
    copied = item.get("copy_on_write", False)
    if not isinstance(copied, bool):
        raise ValueError("copy_on_write must be true or false")
    return {"path": item["path"], "copy_on_write": copied}


_PATH: dict[str, Any] = {"type": "string", "minLength": 1}
ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.enforce_sandbox",
    "kind": "factory",
    "name": "Enforce sandbox",
    "description": "Start every agent in the configured sandbox, whatever its own file asks for.",
    "params_schema": {
        "type": "object",
        "properties": {
            "sandbox_type": {
                "type": "string",
                "enum": list(SANDBOX_TYPES),
                "default": "linux_bwrap",
                "description": "The kind of sandbox.",
            },
            "allow_network": {
                "type": "boolean",
                "default": True,
                "description": "Whether the agent may use the network.",
            },
            "write_paths": {
                "type": "array",
                "items": {
                    "anyOf": [
                        _PATH,
                        {
                            "type": "object",
                            "properties": {
                                "path": _PATH,
                                "copy_on_write": {"type": "boolean", "default": False},
                            },
                            "required": ["path"],
                            "additionalProperties": False,
                        },
                    ]
                },
                "description": "Paths the agent may write; with copy_on_write the originals stay untouched.",
            },
            "read_paths": {
                "type": "array",
                "items": _PATH,
                "description": "Paths the agent may read.",
            },
            "env_passthrough": {
                "type": ["array", "null"],
                "items": {"type": "string"},
                "default": None,
                "description": "Environment variables handed to the agent; null keeps the agent's own list.",
            },
        },
        "additionalProperties": False,
    },
}

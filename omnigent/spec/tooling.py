"""The tools an agent declares, each kind as its own type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

REDACTED = "[REDACTED]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """How often something that failed is tried again; times are seconds."""

    max_retries: int = 7
    backoff_base_s: float = 2.0
    backoff_max_s: float = 60.0
    jitter: bool = True
    timeout_per_request_s: float = 120.0
    retryable_status_codes: tuple[int, ...] = (429, 500, 502, 503, 504)


TOOL_RETRY = Retry(max_retries=1, backoff_base_s=1.0, backoff_max_s=10.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServer:
    """One MCP server; header and environment values are secrets and never leave through `public`.

    `tools` None offers all of the server's tools. `registry` names the server in a registry.
    """

    name: str
    transport: str
    url: str | None = None
    command: str | None = None
    args: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] | None = None
    timeout: float | None = None
    description: str | None = None
    registry: str | None = None
    retry: Retry | None = None
    auth: Mapping[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """What the agent object shows; absent fields are left out."""
        shown: dict[str, Any] = {"name": self.name, "transport": self.transport}
        if self.url is not None:
            shown["url"] = _without_userinfo(self.url)
        if self.command is not None:
            shown["command"] = self.command
            shown["args"] = list(self.args)
        if self.headers:
            shown["headers"] = dict.fromkeys(self.headers, REDACTED)
        if self.description is not None:
            shown["description"] = self.description
        return shown


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionTool:
    """A function the model may call.

    With runtime `server` the runner calls `callable`, a dotted path; with `client` the API's client answers
    the call. `parameters` is a JSON schema, None when it is to be made from the function's signature.
    """

    name: str
    callable: str | None = None
    parameters: Mapping[str, Any] | None = None
    runtime: Literal["server", "client"] = "server"
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltinTool:
    """A tool of the product that the agent switches on; `config` may hold secrets."""

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentTool:
    """A sub-agent that the model may call as a tool.

    `agent` is the sub-agent's name, the tool's own when `clone` makes it a copy of the agent that declares
    it. `max_sessions` caps child sessions at one time; None leaves them uncapped. `pass_histories` names
    further agents whose transcripts the child is given.
    """

    name: str
    agent: str
    description: str | None = None
    clone: bool = False
    pass_history: bool = False
    pass_histories: tuple[str, ...] = ()
    max_sessions: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillTool:
    """A skill that the model may load by calling a tool of its own."""

    name: str
    skill: str
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Handoff:
    """A tool that hands the conversation over to another agent."""

    name: str
    agent: str
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSandbox:
    """The container that the agent's local tools run in."""

    image: str
    runtime: Literal["docker", "podman"] = "docker"


def _without_userinfo(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        # What cannot be taken apart may hide a password.
        return REDACTED
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

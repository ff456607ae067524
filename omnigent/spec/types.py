"""The parsed form of an agent, and the errors of reading one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from omnigent.spec import harnesses

REDACTED = "[REDACTED]"


class InvalidAgentError(ValueError):
    """What was given cannot become an agent."""


class BundleError(InvalidAgentError):
    """The archive or its YAML cannot be read at all; only the first fault is known."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"invalid agent bundle: {fault}")
        self.fault = fault


class SpecError(InvalidAgentError):
    """The document was read but says something wrong; `problems` lists all of it as `path: why`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("invalid agent spec: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """How tools are confined; `options` keeps every key as written, for the part that enforces them."""

    type: str | None = None
    allow_network: bool = True
    read_paths: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OsEnv:
    """The agent may read, write and run commands; `cwd` is relative to the session's workspace."""

    type: str = "caller_process"
    cwd: str | None = None
    fork: bool = False
    start_in_scratch: bool = False
    sandbox: Sandbox = field(default_factory=Sandbox)


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServer:
    """One MCP server; header and environment values are secrets and never leave through `public`."""

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
class PolicyDecl:
    """A policy as the spec declares it, not yet resolved to a callable.

    `factory_params` None and `{}` differ: with a mapping, even an empty one, the handler is a factory.
    """

    name: str
    handler: str
    type: str = "function"
    on: tuple[str, ...] = ()
    factory_params: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    condition: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    set_labels: tuple[str, ...] | None = None
    ask_timeout: float | None = None

    def public(self) -> dict[str, Any]:
        """The agent object's row: the description is the dotted handler path."""
        return {"name": self.name, "type": self.type, "on": list(self.on), "description": self.handler}


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelDecl:
    """A session label the spec knows: its first value and, when not None, the only values allowed."""

    initial: str | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillRef:
    """A skill of the bundle; `path` is its directory there."""

    name: str
    description: str
    path: str
    display_name: str | None = None
    user_invocable: bool = True

    def public(self) -> dict[str, Any]:
        """The agent object's row."""
        return {"name": self.name, "description": self.description, "display_name": self.display_name}


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSpec:
    """One agent. `harness` is spelled as the author spelled it; `raw` is the whole document as read."""

    name: str
    description: str | None = None
    instructions: str = ""
    shape: Literal["directory", "single-file"] = "directory"
    executor_type: str = "omnigent"
    harness: str | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    context_window: int | None = None
    timeout: float = 3600
    max_iterations: int = 1000
    config: Mapping[str, str] = field(default_factory=dict)
    connection: Mapping[str, Any] = field(default_factory=dict)
    auth: Mapping[str, Any] = field(default_factory=dict)
    os_env: OsEnv | None = None
    mcp_servers: tuple[McpServer, ...] = ()
    policies: tuple[PolicyDecl, ...] = ()
    labels: Mapping[str, LabelDecl] = field(default_factory=dict)
    ask_timeout: float | None = None
    skills: tuple[SkillRef, ...] = ()
    terminals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sub_agents: tuple["AgentSpec", ...] = ()
    callable_agents: tuple[str, ...] = ()
    spawn: bool = False
    timers: bool = False
    async_tools: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def harness_id(self) -> str | None:
        """The canonical harness that runs this agent, whatever spelling the author used."""
        return harnesses.canonical(self.shown_harness) if self.shown_harness else None

    @property
    def shown_harness(self) -> str | None:
        """The harness as the API shows it: the configured one, else the executor's type."""
        return self.harness or (None if self.executor_type == "omnigent" else self.executor_type)

    def public(self) -> dict[str, Any]:
        """The parts of the API's agent object that come from the spec."""
        return {
            "name": self.name,
            "description": self.description,
            "harness": self.shown_harness,
            "mcp_servers": [server.public() for server in self.mcp_servers],
            "policies": [policy.public() for policy in self.policies],
            "skills": [skill.public() for skill in self.skills if skill.user_invocable],
            "terminals": list(self.terminals),
        }


def _without_userinfo(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

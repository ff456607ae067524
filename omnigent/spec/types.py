"""The parsed form of an agent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from omnigent.spec import harnesses
from omnigent.spec.errors import BundleError, InvalidAgentError, SpecError
from omnigent.spec.machine import OsEnv, Sandbox, Terminal, WritePath
from omnigent.spec.tooling import (
    REDACTED,
    TOOL_RETRY,
    AgentTool,
    BuiltinTool,
    FunctionTool,
    Handoff,
    McpServer,
    Retry,
    SkillTool,
    ToolSandbox,
)

__all__ = [
    "REDACTED",
    "AgentSpec",
    "AgentTool",
    "BuiltinTool",
    "BundleError",
    "Compaction",
    "FunctionTool",
    "Handoff",
    "Interaction",
    "InvalidAgentError",
    "LabelDecl",
    "McpServer",
    "OsEnv",
    "Param",
    "PolicyDecl",
    "Retry",
    "Sandbox",
    "SkillRef",
    "SkillTool",
    "SpecError",
    "Terminal",
    "ToolSandbox",
    "WritePath",
]

Sharing = Literal["none", "non-public", "public"]


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
class Compaction:
    """When history is condensed: at this share of the context window, sparing the last model calls."""

    trigger_threshold: float = 0.8
    recent_window: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """What people can exchange with the agent."""

    conversational: bool = True
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Param:
    """A parameter that a caller may set; nothing about it is checked."""

    type: str | None = None
    description: str | None = None
    default: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSpec:
    """One agent. `harness` is spelled as the author spelled it; `raw` is the whole document as read.

    `callable_agents` are the sub-agents that the model may call, `agent_tools` how it calls them. `retry`
    and `request_timeout` (seconds, None for the machine's own) are about calls of the model, `tool_retry` and
    `tool_timeout` about calls of tools. `host_skills` chooses from the skills that the host offers, never
    from the bundle's. `tool_files` are paths of tools written in Python or TypeScript. `warnings` says what
    a lenient reading left out.
    """

    name: str
    description: str | None = None
    instructions: str = ""
    shape: Literal["directory", "single-file"] = "directory"
    executor_type: str = "omnigent"
    harness: str | None = None
    model: str | None = None
    fallback_models: tuple[str, ...] = ()
    model_options: Mapping[str, Any] = field(default_factory=dict)
    reasoning_effort: str | None = None
    context_window: int | None = None
    timeout: float = 3600
    request_timeout: float | None = None
    retry: Retry = field(default_factory=Retry)
    max_iterations: int = 1000
    config: Mapping[str, str] = field(default_factory=dict)
    connection: Mapping[str, Any] = field(default_factory=dict)
    auth: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    os_env: OsEnv | None = None
    mcp_servers: tuple[McpServer, ...] = ()
    function_tools: tuple[FunctionTool, ...] = ()
    builtin_tools: tuple[BuiltinTool, ...] = ()
    agent_tools: tuple[AgentTool, ...] = ()
    skill_tools: tuple[SkillTool, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    tool_files: tuple[str, ...] = ()
    tool_timeout: float = 60
    tool_retry: Retry = TOOL_RETRY
    tool_sandbox: ToolSandbox | None = None
    policies: tuple[PolicyDecl, ...] = ()
    labels: Mapping[str, LabelDecl] = field(default_factory=dict)
    ask_timeout: float | None = None
    skills: tuple[SkillRef, ...] = ()
    host_skills: Literal["all", "none"] | tuple[str, ...] = "all"
    terminals: Mapping[str, Terminal] = field(default_factory=dict)
    sub_agents: tuple["AgentSpec", ...] = ()
    callable_agents: tuple[str, ...] = ()
    spawn: bool = False
    timers: bool = False
    async_tools: bool = True
    cancellable: bool = True
    sharing: Sharing = "none"
    params: Mapping[str, Param] = field(default_factory=dict)
    interaction: Interaction = field(default_factory=Interaction)
    compaction: Compaction = field(default_factory=Compaction)
    warnings: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def harness_id(self) -> str | None:
        """The canonical harness that runs this agent, whatever spelling the author used."""
        return harnesses.canonical(self.shown_harness) if self.shown_harness else None

    @property
    def shown_harness(self) -> str | None:
        """The harness as the API shows it: the configured one, else the executor's type."""
        return self.harness or (None if self.executor_type == "omnigent" else self.executor_type)

    def below(self) -> Iterator["AgentSpec"]:
        """Every sub-agent of the tree, each before its own."""
        for child in self.sub_agents:
            yield child
            yield from child.below()

    def sub_agent(self, name: str) -> "AgentSpec | None":
        """The sub-agent of this name anywhere in the tree, also one that is a clone of its parent."""
        for parent in (self, *self.below()):
            for child in parent.sub_agents:
                if child.name == name:
                    return child
            if any(tool.clone and tool.name == name for tool in parent.agent_tools):
                return replace(parent, name=name)
        return None

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

"""What each harness can do and what it takes to set one up: one table, for the picker and for the docs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

from omnigent.spec import harnesses

IntegrationMode = Literal["sdk-in-process", "cli-subprocess", "acp-subprocess", "native-tui", "native-server"]
Elicitation = Literal["none", "hook", "jsonrpc", "approval-mirror", "sse-permission"]
Resume = Literal["none", "warm-reattach", "cold-only"]
ModelFamily = Literal["claude", "gpt", "gemini", "multi"]
Auth = Literal["omnigent-credential", "own-auth", "session-scoped-config"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """How a harness is built in, and what sessions on it can do.

    `auth` tells whose key pays: one that the host hands to the runner, or the vendor program's own login.
    `resume` tells what a new runner takes up: nothing, a program that still runs, or a stored conversation.
    """

    integration_mode: IntegrationMode
    elicitation: Elicitation
    resume: Resume
    model_family: ModelFamily
    auth: Auth
    subagents: bool = True
    interrupt: bool = True
    streaming: bool = True
    steering: bool = True
    images: bool = True
    compaction: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessInfo:
    """A harness as the picker shows it; `setup_steps` are what is to be done where the host runs."""

    id: str
    label: str
    capabilities: Capabilities
    setup_steps: tuple[str, ...] = ()

    def public(self) -> dict[str, Any]:
        """The row of GET /v1/harnesses."""
        return {
            "id": self.id,
            "label": self.label,
            "capabilities": asdict(self.capabilities),
            "setup_steps": list(self.setup_steps),
        }


GENERAL_STEPS = (
    "Run a host on the machine that shall do the work, and connect it to this server.",
    "Do the steps of a harness on that machine; the host tells the server within a minute what is ready.",
)

_OPENAI_KEY = "Set OPENAI_API_KEY in the environment of the host; OPENAI_BASE_URL for another endpoint."
_ANTHROPIC_KEY = (
    "Set ANTHROPIC_API_KEY in the environment of the host; ANTHROPIC_BASE_URL for another endpoint."
)
_HTTP_RESUME: Resume = "cold-only"

_ROWS = (
    HarnessInfo(
        id="scripted",
        label="Scripted demo",
        capabilities=Capabilities(
            integration_mode="sdk-in-process",
            elicitation="hook",
            resume=_HTTP_RESUME,
            model_family="multi",
            auth="session-scoped-config",
            images=False,
        ),
    ),
    HarnessInfo(
        id="openai-responses",
        label="OpenAI Responses API",
        capabilities=Capabilities(
            integration_mode="sdk-in-process",
            elicitation="hook",
            resume=_HTTP_RESUME,
            model_family="gpt",
            auth="omnigent-credential",
        ),
        setup_steps=(_OPENAI_KEY,),
    ),
    HarnessInfo(
        id="openai-chat",
        label="OpenAI-compatible chat completions",
        capabilities=Capabilities(
            integration_mode="sdk-in-process",
            elicitation="hook",
            resume=_HTTP_RESUME,
            model_family="multi",
            auth="omnigent-credential",
        ),
        setup_steps=(_OPENAI_KEY,),
    ),
    HarnessInfo(
        id="anthropic",
        label="Anthropic Messages API",
        capabilities=Capabilities(
            integration_mode="sdk-in-process",
            elicitation="hook",
            resume=_HTTP_RESUME,
            model_family="claude",
            auth="omnigent-credential",
        ),
        setup_steps=(_ANTHROPIC_KEY,),
    ),
    HarnessInfo(
        id="claude-sdk",
        label="Claude Agent SDK",
        capabilities=Capabilities(
            integration_mode="sdk-in-process",
            elicitation="hook",
            resume="cold-only",
            model_family="claude",
            auth="own-auth",
        ),
        setup_steps=("Install requirements-harness-claude.txt.", _ANTHROPIC_KEY),
    ),
    HarnessInfo(
        id="claude-native",
        label="Claude Code in its terminal",
        capabilities=Capabilities(
            integration_mode="native-tui",
            elicitation="hook",
            resume="warm-reattach",
            model_family="claude",
            auth="own-auth",
            streaming=False,
            images=False,
        ),
        setup_steps=(
            "Install tmux, and the npm package @anthropic-ai/claude-code.",
            "Log in once with `claude`, or set ANTHROPIC_API_KEY in the environment of the host.",
        ),
    ),
    HarnessInfo(
        id="codex",
        label="Codex",
        capabilities=Capabilities(
            integration_mode="cli-subprocess",
            elicitation="jsonrpc",
            resume="cold-only",
            model_family="gpt",
            auth="own-auth",
        ),
        setup_steps=(
            "Install the npm package @openai/codex.",
            "Log in once with `codex login`, or set OPENAI_API_KEY in the environment of the host.",
        ),
    ),
    HarnessInfo(
        id="codex-native",
        label="Codex in its terminal",
        capabilities=Capabilities(
            integration_mode="native-tui",
            elicitation="hook",
            resume="warm-reattach",
            model_family="gpt",
            auth="own-auth",
            streaming=False,
            images=False,
        ),
        setup_steps=(
            "Install tmux, and the npm package @openai/codex.",
            "Log in once with `codex login`, or set OPENAI_API_KEY in the environment of the host.",
        ),
    ),
    HarnessInfo(
        id="openai-agents",
        label="OpenAI Agents SDK",
        capabilities=Capabilities(
            integration_mode="sdk-in-process",
            elicitation="hook",
            resume="cold-only",
            model_family="gpt",
            auth="omnigent-credential",
        ),
        setup_steps=("Install requirements-harness-openai-agents.txt.", _OPENAI_KEY),
    ),
)

HARNESSES: Mapping[str, HarnessInfo] = MappingProxyType({row.id: row for row in _ROWS})
"""By canonical name, the harnesses that runners of this project have."""


def info_of(name: str) -> HarnessInfo | None:
    """The harness that a spelling stands for; None for one that only vendors' own products run."""
    return HARNESSES.get(harnesses.canonical(name) or "")

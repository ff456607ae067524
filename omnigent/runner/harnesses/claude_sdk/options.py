"""How the program is started: its environment, prompt, tools and permissions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, cast, get_args

from claude_agent_sdk import ClaudeAgentOptions, HookMatcher, PermissionMode

from omnigent.runner.harnesses.base import ModelError, ModelRequest, ToolSchema
from omnigent.runner.harnesses.claude_code import EFFORTS, PATIENCE_SECONDS, QUIET
from omnigent.runner.harnesses.claude_sdk.gate import Gate
from omnigent.runner.harnesses.claude_sdk.offering import SERVER_NAME, server_of
from omnigent.runner.harnesses.engine import EngineSettings

_TOOLS: Final = (
    "Bash",
    "Edit",
    "Glob",
    "Grep",
    "NotebookEdit",
    "Read",
    "Task",
    "WebFetch",
    "WebSearch",
    "Write",
)
"""Of the program's own tools those whose work ends with the turn and that need no screen of its own."""

_SHELL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIXED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **QUIET,
        "API_FORCE_IDLE_TIMEOUT": "1",
        "CLAUDE_AGENT_SDK_CLIENT_APP": "",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_DISABLE_CRON": "1",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
        "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
        "CLAUDE_CODE_MCP_AUTO_BACKGROUND_MS": "0",
        "CLAUDE_CODE_SKIP_MCP_DEBUG_LOG_FILES": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "MCP_TOOL_TIMEOUT": str(PATIENCE_SECONDS * 1000),
        "CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT": str(PATIENCE_SECONDS * 1000),
        "CLAUDE_CODE_SDK_MCP_TOOL_IDLE_TIMEOUT": str(PATIENCE_SECONDS * 1000),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A change of any of these starts another program: a running one cannot be told, or, of the model, asks
    the provider for an answer first."""

    model: str
    instructions: str
    tools: tuple[ToolSchema, ...]
    effort: str | None

    @classmethod
    def of(cls, request: ModelRequest) -> "Launch":
        return cls(
            model=request.model,
            instructions=request.instructions,
            tools=tuple(request.tools),
            effort=request.reasoning_effort,
        )


def config_dir(settings: EngineSettings) -> Path:
    """Where the program keeps its own files. With a key these are the session's; without one the user's, as
    the user's own login is there."""
    if settings.api_key:
        return settings.state_dir / "config"
    named = settings.environment.get("CLAUDE_CONFIG_DIR")
    return Path(named) if named else Path(settings.environment.get("HOME") or Path.home()) / ".claude"


def environment_of(settings: EngineSettings, inherited: Mapping[str, str]) -> dict[str, str]:
    """What is laid over this process's own environment, which the program would get otherwise: names that it
    must not have are empty in it."""
    environment = dict.fromkeys(inherited, "") | dict(settings.environment) | dict(_FIXED)
    environment["CLAUDE_CODE_MAX_RETRIES"] = str(settings.patience.max_retries)
    environment["CLAUDE_ENV_FILE"] = str(_shell_file(settings))
    if settings.api_key:
        environment["ANTHROPIC_API_KEY"] = settings.api_key
        environment["CLAUDE_CONFIG_DIR"] = str(config_dir(settings))
    if settings.base_url:
        environment["ANTHROPIC_BASE_URL"] = settings.base_url
    return environment


def prepare_files(settings: EngineSettings, inherited: Mapping[str, str]) -> None:
    """Write what the program reads before each of its commands: they get neither the key nor empty names."""
    config_dir(settings).mkdir(parents=True, exist_ok=True)
    unwanted = (inherited.keys() - settings.environment.keys()) | {"ANTHROPIC_API_KEY"}
    names = " ".join(sorted(name for name in unwanted if _SHELL_NAME.fullmatch(name)))
    file = _shell_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"unset {names}\n")


def _shell_file(settings: EngineSettings) -> Path:
    return settings.state_dir / "shell.sh"


def permission_mode(settings: EngineSettings) -> PermissionMode:
    """The agent's `permission_mode`. Raises ModelError when the program has none such."""
    mode = settings.config.get("permission_mode", "default")
    if mode not in get_args(PermissionMode):
        known = ", ".join(get_args(PermissionMode))
        raise ModelError("harness_not_configured", f"permission_mode {mode!r} is not one of {known}.")
    return cast(PermissionMode, mode)


def options_of(
    settings: EngineSettings, launch: Launch, gate: Gate, *, session_id: str, resumes: bool
) -> ClaudeAgentOptions:
    """Everything but what depends on this process. Raises ModelError for a setting that cannot be."""
    patient = float(PATIENCE_SECONDS)
    return ClaudeAgentOptions(
        model=launch.model,
        cwd=settings.workspace,
        tools=list(_TOOLS) if settings.own_tools else [],
        system_prompt=_prompt(settings, launch.instructions),
        permission_mode=permission_mode(settings),
        can_use_tool=gate.may,
        hooks={
            "PreToolUse": [HookMatcher(hooks=[gate.before], timeout=patient, on_failure="block")],
            "PostToolUse": [HookMatcher(hooks=[gate.after], timeout=patient, on_failure="block")],
            "PostToolUseFailure": [HookMatcher(hooks=[gate.failed], timeout=patient)],
        },
        mcp_servers={SERVER_NAME: server_of(launch.tools, gate.call)} if launch.tools else {},
        strict_mcp_config=True,
        # Hooks and permissions of the workspace's own files would act beside the session's policies.
        setting_sources=[],
        # What people and models wrote is text: no command of the program's, and no file to be read.
        verbatim_prompts=True,
        include_partial_messages=True,
        session_id=None if resumes else session_id,
        resume=session_id if resumes else None,
        effort=EFFORTS.get(launch.effort or ""),
        thinking={"type": "disabled"} if launch.effort == "none" else None,
        extra_args={"thinking-display": "summarized"} if launch.effort != "none" else {},
        max_buffer_size=64 * 1024 * 1024,
    )


def _prompt(settings: EngineSettings, instructions: str) -> Any:
    """An agent's instructions stand in the place of the program's own; those of an agent that asks for it are
    put after them. A prompt is never kept from an earlier start, as the agent may have changed since."""
    mode: Literal["append", "replace"] = (
        "append" if settings.config.get("system_prompt_mode") == "append" else "replace"
    )
    if not instructions.strip():
        return {"type": "preset", "preset": "claude_code", "snapshot": False}
    if mode == "append":
        return {"type": "preset", "preset": "claude_code", "append": instructions, "snapshot": False}
    return {"type": "custom", "prompt": instructions, "snapshot": False}

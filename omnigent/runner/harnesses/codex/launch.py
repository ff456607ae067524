"""Where Codex is, and the home of its own in which it finds nothing but what we write there."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.engine import EngineSettings
from omnigent.runner.harnesses.programs import located

PROGRAM: Final = "codex"
INSTALL: Final = "npm install -g @openai/codex@0.169.0"
LOGIN_FILE: Final = ".codex/auth.json"
"""Where a person's own `codex login` is kept, below their home directory."""
_KEY_NAME: Final = "CODEX_PROVIDER_KEY"
_PROFILE: Final = "omnigent"
_OPENAI: Final = "https://api.openai.com/v1"
_NO_SANDBOX: Final = frozenset({"none", "danger-full-access"})
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
# What reaches beyond the conversation, or acts without asking for an approval.
_SWITCHED_OFF: Final = (
    *("api_key_model_discovery", "apps", "auth_elicitation", "browser_use", "browser_use_external"),
    *("browser_use_full_cdp_access", "computer_use", "daemon_auto_start", "enable_request_compression"),
    *("goals", "guardian_approval", "hooks", "image_generation", "in_app_browser", "memories"),
    *("plugin_sharing", "plugins", "remote_plugin", "shell_snapshot", "skill_mcp_dependency_install"),
    # A command on a terminal would take further input, which nobody is asked about.
    *("tool_suggest", "unbounded_connection_retries", "unified_exec_tty", "view_image"),
    *("workspace_dependencies",),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How the app server of one session is started, and what confines its commands."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    home: Path
    profile: str

    @property
    def is_confined(self) -> bool:
        """Whether commands run inside Codex's sandbox."""
        return self.profile != ":danger-full-access"


def prepare(settings: EngineSettings, *, silence_seconds: float) -> Launch:
    """Write the home and say how to start; raises ModelError when the program or a key is missing."""
    program = located(PROGRAM, settings.environment)
    if program is None:
        raise ModelError("harness_not_configured", f"codex: the program codex is not installed: {INSTALL}")
    login = _login(settings)
    if not settings.api_key and login is None:
        raise ModelError("harness_not_configured", "codex: set OPENAI_API_KEY, or run codex login.")
    home, temporary = settings.state_dir / "home", settings.state_dir / "tmp"
    for directory in (home, temporary):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _link(home / "auth.json", None if settings.api_key else login)
    profile = _profile(settings)
    config = home / "config.toml"
    config.touch(mode=0o600)
    config.write_text(_config(settings, config, profile, silence_seconds))
    return Launch(
        command=(program, "app-server"),
        # Codex puts no helpers below the common temporary directory, which is where tests keep their files.
        environment={
            **settings.environment,
            "CODEX_HOME": str(home),
            "TMPDIR": str(temporary),
            **({_KEY_NAME: settings.api_key} if settings.api_key else {}),
        },
        home=home,
        profile=profile,
    )


def _login(settings: EngineSettings) -> Path | None:
    """The file of a login that a person made with Codex itself."""
    home = settings.environment.get("HOME")
    file = Path(home) / LOGIN_FILE if home else None
    return file if file is not None and file.is_file() else None


def _link(place: Path, login: Path | None) -> None:
    """A link and no copy: Codex renews the tokens in it, which would end every copy's."""
    with contextlib.suppress(FileNotFoundError):
        place.unlink()
    if login is not None:
        place.symlink_to(login)


def _profile(settings: EngineSettings) -> str:
    config = settings.config
    is_free = config.get("yolo", "").lower() in _TRUE or config.get("sandbox") in _NO_SANDBOX
    return ":danger-full-access" if is_free and settings.own_tools else _PROFILE


def _config(settings: EngineSettings, config: Path, profile: str, silence_seconds: float) -> str:
    reads_only = settings.config.get("sandbox") == "read-only" or not settings.own_tools
    # Patches have no switch: where Codex may not use tools of its own, each is refused when it asks.
    switched_off = _SWITCHED_OFF if settings.own_tools else (*_SWITCHED_OFF, "shell_tool")
    lines = [
        f"model_provider = {_text('omnigent' if settings.api_key else 'openai')}",
        'approvals_reviewer = "user"',
        f"default_permissions = {_text(profile)}",
        'model_reasoning_summary = "auto"',
        'web_search = "disabled"',
        "check_for_update_on_startup = false",
        *([] if settings.api_key or not settings.base_url else [_line("openai_base_url", settings.base_url)]),
        "[analytics]",
        "enabled = false",
        "[feedback]",
        "enabled = false",
        "[history]",
        'persistence = "none"',
        "[skills.bundled]",
        "enabled = false",
        "[agents]",
        "enabled = false",
        "[shell_environment_policy]",
        f"exclude = [{_text(_KEY_NAME)}]",
        "[model_providers.omnigent]",
        'name = "Omnigent"',
        _line("base_url", settings.base_url or _OPENAI),
        'wire_api = "responses"',
        f"env_key = {_text(_KEY_NAME)}",
        # Repeating is ours to do: Codex would repeat refusals, too, and tell nobody about some of it.
        "request_max_retries = 0",
        "stream_max_retries = 0",
        f"stream_idle_timeout_ms = {int(silence_seconds * 1000)}",
        f"[projects.{_text(str(settings.workspace))}]",
        'trust_level = "untrusted"',
        f"[permissions.{_PROFILE}]",
        f"extends = {_text(':read-only' if reads_only else ':workspace')}",
        # Where something may not be read, Codex repeats no command outside its sandbox after an approval.
        f"[permissions.{_PROFILE}.filesystem]",
        f'{_text(str(config))} = "deny"',
        "[features]",
        *(f"{feature} = false" for feature in switched_off),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str) -> str:
    return f"{name} = {_text(value)}"


def _text(value: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

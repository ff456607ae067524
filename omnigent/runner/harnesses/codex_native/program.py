"""Codex in its own terminal: how it is started, and what its screen shows."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.codex_native import asking, transcript
from omnigent.runner.harnesses.engine import EngineSettings
from omnigent.runner.harnesses.programs import located
from omnigent.runner.native.entries import Entry
from omnigent.runner.native.program import Desk, Launch, Link, Start

PROGRAM: Final = "codex"
INSTALL: Final = "npm install -g @openai/codex@0.169.0"
_KEY_NAME: Final = "CODEX_PROVIDER_KEY"
_OPENAI: Final = "https://api.openai.com/v1"
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_PATIENCE_SECONDS: Final = 7 * 86_400
"""How long the program waits for a hook: a person may be asked in between."""
_PROMPT: Final = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
_CHOICE: Final = re.compile(r"\d+\. ")
_PLACEHOLDER: Final = "Ask Codex to do anything"
_STATUS: Final = re.compile(r"^  (?!Waiting for startup)\S.* · ", re.MULTILINE)
"""The line below the input field; it comes when the program has asked all that it asks at its start."""
_DISMISSALS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "1. Open restricted": ("Enter",),
        "1. Open existing task": ("Enter",),
        "2. Use existing model": ("Down", "Enter"),
    }
)
"""What it asks at its start, by what shows the question: the folder stays untrusted, the model ours."""
_SWITCHED_OFF: Final = (
    *("api_key_model_discovery", "apps", "browser_use", "browser_use_external", "computer_use"),
    *("daemon_auto_start", "enable_request_compression", "guardian_approval", "image_generation"),
    *("in_app_browser", "in_app_updates", "memories", "plugins", "remote_plugin", "shell_snapshot"),
    *("goals", "tool_suggest", "unbounded_connection_retries", "unified_exec_tty"),
)
"""What reaches beyond the conversation, or goes past the hooks, as input for a running command does."""
_EFFORTS: Final[Mapping[str, str]] = MappingProxyType(
    {name: name for name in ("none", "minimal", "low", "medium", "high", "xhigh")}
    | {"max": "xhigh", "ultra": "xhigh"}
)


class CodexNative:
    """The program has a home of the session's own. Without a key the user's login is linked into it."""

    terminal = "codex"
    interrupt_key = "Escape"

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._home = settings.state_dir / "home"
        self._model = ""

    def prepare(self, launch: Launch) -> Start:
        program = located(PROGRAM, self._settings.environment)
        if program is None:
            raise ModelError("harness_not_configured", f"codex-native: codex is not installed: {INSTALL}")
        self._model = launch.model
        temporary = self._settings.state_dir / "tmp"
        for directory in (self._home, temporary):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._link_login()
        config = self._home / "config.toml"
        config.touch(mode=0o600)
        config.write_text(self._config(launch))
        (self._home / "hooks.json").write_text(json.dumps(_hooks(launch.hook)))
        command = [program, *(("resume", launch.conversation) if launch.conversation else ())]
        # The only hooks are ours: those of the workspace are not read, as it is not trusted.
        command += ["--dangerously-bypass-hook-trust", "--no-daemon", "--model", launch.model]
        if self._settings.config.get("yolo", "").lower() in _TRUE:
            command += ["--dangerously-bypass-approvals-and-sandbox"]
        else:
            command += ["--sandbox", "workspace-write", "--ask-for-approval", "on-request"]
        environment = {
            **self._settings.environment,
            "CODEX_HOME": str(self._home),
            # Codex puts no helpers below the common temporary directory, where its home may be.
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            **({_KEY_NAME: self._settings.api_key} if self._settings.api_key else {}),
        }
        return Start(command=command, environment=environment)

    def transcript(self, conversation: str) -> Path | None:
        found = sorted(self._home.glob(f"sessions/**/rollout-*-{conversation}.jsonl"))
        return found[0] if found else None

    def _link_login(self) -> None:
        """A link and no copy: Codex renews the tokens in it, which would end every copy's."""
        place, home = self._home / "auth.json", self._settings.environment.get("HOME")
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
        if not self._settings.api_key and home:
            place.symlink_to(Path(home, ".codex", "auth.json"))

    def _config(self, launch: Launch) -> str:
        settings = self._settings
        effort = _EFFORTS.get(launch.effort or "")
        lines = [
            f"model_provider = {_text('omnigent' if settings.api_key else 'openai')}",
            f"developer_instructions = {_text(launch.instructions)}",
            *([f"model_reasoning_effort = {_text(effort)}"] if effort else []),
            'web_search = "disabled"',
            "check_for_update_on_startup = false",
            "[analytics]",
            "enabled = false",
            "[feedback]",
            "enabled = false",
            # What they do would be told in rollouts of their own.
            "[agents]",
            "enabled = false",
            "[tui]",
            "animations = false",
            "auto_recap = false",
            "show_tooltips = false",
            'resume_cwd = "current"',
            'status_line = ["model-with-reasoning", "current-dir"]',
            "[shell_environment_policy]",
            f"exclude = [{_text(_KEY_NAME)}]",
            "[model_providers.omnigent]",
            'name = "Omnigent"',
            f"base_url = {_text(settings.base_url or _OPENAI)}",
            'wire_api = "responses"',
            f"env_key = {_text(_KEY_NAME)}",
            # As with the other harnesses, an error ends the turn: Codex would repeat refusals, too.
            "request_max_retries = 0",
            "stream_max_retries = 0",
            f"[projects.{_text(str(settings.workspace))}]",
            'trust_level = "untrusted"',
            "[features]",
            *(f"{feature} = false" for feature in _SWITCHED_OFF),
        ]
        return "\n".join(lines) + "\n"

    # -- its screen --------------------------------------------------------------------------------------

    def is_ready(self, screen: str) -> bool:
        return _input(screen) is not None

    def dismissal(self, screen: str) -> Sequence[str]:
        asked = _input(screen) is None
        return next((keys for shown, keys in _DISMISSALS.items() if asked and shown in screen), ())

    def is_working(self, screen: str) -> bool:
        return "esc to interrupt" in screen

    def holds_text(self, screen: str) -> bool:
        text = _input(screen)
        return bool(text) and text != _PLACEHOLDER

    def typed(self, prompt: str) -> str:
        """A first `!` would run a command of the shell, past the policies; a first `/` one of the program, of
        which its rollout does not tell. A space at the end closes lists of suggestions, which Enter would
        choose from.
        """
        return f"{' ' if prompt.startswith(('!', '/')) else ''}{prompt} "

    # -- what it says and asks ---------------------------------------------------------------------------

    async def hooked(self, event: Mapping[str, Any], desk: Desk) -> Mapping[str, Any]:
        return await asking.answer(event, desk)

    def link(self, record: Mapping[str, Any]) -> Link:
        """Each line is written when the thing that it tells of has happened."""
        return Link()

    def read(self, record: Mapping[str, Any]) -> Sequence[Entry]:
        return transcript.entries(record, self._model)


def _hooks(command: str) -> Mapping[str, Any]:
    entry = {"hooks": [{"type": "command", "command": command, "timeout": _PATIENCE_SECONDS}]}
    return {"hooks": {name: [entry] for name in asking.HOOKS}}


def _input(screen: str) -> str | None:
    """What stands in the input field; None when a dialog is in its place, or the program is starting."""
    _, found, after = screen.rpartition(f"\n{_PROMPT}")
    text, _, below = after.partition("\n")
    if not found or _CHOICE.match(text.strip()) or not _STATUS.search(below):
        return None
    return text.strip()


def _text(value: str) -> str:
    """A string of TOML."""
    return json.dumps(value).replace("\x7f", "\\u007f")

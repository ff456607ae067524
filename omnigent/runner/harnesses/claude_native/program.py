"""Claude Code in its own terminal: how it is started, and what its screen shows."""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.claude_code import EFFORTS, PATIENCE_SECONDS, QUIET
from omnigent.runner.harnesses.claude_native import asking, transcript
from omnigent.runner.harnesses.engine import EngineSettings
from omnigent.runner.harnesses.programs import located
from omnigent.runner.native.entries import Entry
from omnigent.runner.native.program import Desk, Launch, Link, Start

PROGRAM: Final = "claude"
INSTALL: Final = "npm install -g @anthropic-ai/claude-code@2.1.197"
_PROMPT: Final = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
_RULE: Final = re.compile(r"─{20}")
_PLACEHOLDERS: Final = ("Press up to edit queued messages", 'Try "')
_FIXED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **QUIET,
        "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
        "DISABLE_INSTALLATION_CHECKS": "1",
        "LANG": "C.UTF-8",
    }
)

Json = Mapping[str, Any]


class ClaudeNative:
    """With a key the program has a configuration of the session's own. Without one it has the user's, whose
    login is there; then it is the user's own settings that it reads beside ours.
    """

    terminal = "claude"
    interrupt_key = "Escape"

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._mode = settings.config.get("permission_mode", "default")

    # -- how it is started -------------------------------------------------------------------------------

    def prepare(self, launch: Launch) -> Start:
        program = located(PROGRAM, self._settings.environment)
        if program is None:
            raise ModelError("harness_not_configured", f"claude-native: claude is not installed: {INSTALL}")
        files = self._settings.state_dir
        files.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = files / "settings.json"
        settings.write_text(json.dumps(self._hook_settings(launch.hook)))
        if self._settings.api_key:
            self._write_config()
        conversation = launch.conversation or str(uuid.uuid4())
        command = [
            *(program, "--settings", str(settings), "--setting-sources", "user", "--strict-mcp-config"),
            *("--model", launch.model, "--permission-mode", self._mode),
            *("--resume" if launch.conversation else "--session-id", conversation),
        ]
        if effort := EFFORTS.get(launch.effort or ""):
            command += ["--effort", effort]
        if launch.instructions.strip():
            prompt = files / "prompt.md"
            prompt.write_text(launch.instructions)
            command += ["--append-system-prompt-file", str(prompt)]
        return Start(command=command, environment=self._environment(), conversation=conversation)

    def transcript(self, conversation: str) -> Path | None:
        found = sorted(self._config_dir().glob(f"projects/*/{conversation}.jsonl"))
        return found[0] if found else None

    def _config_dir(self) -> Path:
        settings = self._settings
        if settings.api_key:
            return settings.state_dir / "config"
        named = settings.environment.get("CLAUDE_CONFIG_DIR")
        return Path(named) if named else Path(settings.environment.get("HOME") or Path.home()) / ".claude"

    def _environment(self) -> dict[str, str]:
        settings = self._settings
        environment = {**settings.environment, **_FIXED}
        if settings.api_key:
            environment["ANTHROPIC_API_KEY"] = settings.api_key
            environment["CLAUDE_CONFIG_DIR"] = str(self._config_dir())
        if settings.base_url:
            environment["ANTHROPIC_BASE_URL"] = settings.base_url
        return environment

    def _write_config(self) -> None:
        """Answer what the program asks at its first start: theme, key, trust in the directory."""
        file = self._config_dir() / ".claude.json"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = json.loads(file.read_text()) if file.exists() else {}
        projects = dict(known.get("projects") or {})
        workspace = str(self._settings.workspace)
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        projects[workspace] = {**projects.get(workspace, {}), **trusted}
        known |= {
            "hasCompletedOnboarding": True,
            "theme": known.get("theme", "dark"),
            "customApiKeyResponses": {"approved": [self._settings.api_key[-20:]], "rejected": []},
            "projects": projects,
        }
        file.write_text(json.dumps(known))
        file.chmod(0o600)

    def _hook_settings(self, hook: str) -> Json:
        entry = {"hooks": [{"type": "command", "command": hook, "timeout": PATIENCE_SECONDS}]}
        return {
            "disableAllHooks": False,
            "skipDangerousModePermissionPrompt": True,
            "showTurnDuration": True,
            "hooks": {name: [entry] for name in asking.HOOKS},
        }

    # -- its screen --------------------------------------------------------------------------------------

    def is_ready(self, screen: str) -> bool:
        return _input(screen) is not None

    def dismissal(self, screen: str) -> Sequence[str]:
        return ()

    def is_working(self, screen: str) -> bool:
        return "esc to interrupt" in screen

    def holds_text(self, screen: str) -> bool:
        text = _input(screen)
        return bool(text) and not (text or "").startswith(_PLACEHOLDERS)

    def typed(self, prompt: str) -> str:
        """A first `!` would run a command of the shell, past the policies. A space at the end closes lists of
        suggestions, which Enter would choose from, and keeps a last backslash from meaning another line.
        """
        return f"{' ' if prompt.startswith('!') else ''}{prompt} "

    # -- what it says and asks ---------------------------------------------------------------------------

    async def hooked(self, event: Json, desk: Desk) -> Json:
        return await asking.answer(event, desk, is_planning=self._mode == "plan")

    def link(self, record: Json) -> Link:
        return Link(own=str(record.get("uuid") or ""), follows=str(record.get("parentUuid") or ""))

    def read(self, record: Json) -> Sequence[Entry]:
        return transcript.entries(record)


def _input(screen: str) -> str | None:
    """What stands in the input field; None when a dialog is in its place."""
    lines = screen.splitlines()
    for above, line in reversed(list(pairwise(lines))):
        if line.startswith(_PROMPT) and _RULE.search(above):
            return line[1:].strip()
    return None

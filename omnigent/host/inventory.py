"""What this machine has for agents: the skills of its user and of a directory, and vendors' credentials."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from omnigent.host.filesystem import FileSystem, PathRefused
from omnigent.protocol.host_frames import (
    DetectCredentials,
    DetectCredentialsResult,
    SkillContent,
    SkillContentResult,
    Skills,
    SkillsResult,
)
from omnigent.runner.harnesses.rows import HarnessRow
from omnigent.runner.skill_shelf import Skill, offered
from omnigent.spec import harnesses

MAX_CONTENT: Final = 256 * 1024
_HOME: Final = "~"


class Inventory:
    """Blocking looks at the disk; call them from a thread. `environ` is what runners get."""

    def __init__(self, disk: FileSystem, environ: Mapping[str, str], rows: Mapping[str, HarnessRow]) -> None:
        self._disk = disk
        self._environ = environ
        self._rows = rows

    def skills(self, ask: Skills) -> SkillsResult:
        """The skills that people may call in a session of this directory, its own before the user's."""
        if ask.session_id is not None:
            # Its agent has skills of its own, and its runner knows them.
            return SkillsResult(
                request_id=ask.request_id, status="failed", error="ask the session's runner for its skills"
            )
        try:
            root = self._disk.resolve(ask.path)
        except PathRefused as error:
            return SkillsResult(request_id=ask.request_id, status="failed", error=str(error))
        found = _by_name(root, *self._home()).values()
        return SkillsResult(
            request_id=ask.request_id,
            status="ok",
            skills=tuple(
                {"name": skill.name, "description": skill.description}
                for skill in found
                if skill.is_for_people
            ),
        )

    def skill_content(self, ask: SkillContent) -> SkillContentResult:
        """The text of a skill of the user's."""
        skill = None if ask.source_id is not None else _by_name(*self._home()).get(ask.name)
        if skill is None:
            return SkillContentResult(
                request_id=ask.request_id, status="failed", error="there is no such skill on this host"
            )
        content = skill.instructions.encode()
        return SkillContentResult(
            request_id=ask.request_id,
            status="ok",
            skill={
                "name": skill.name,
                "description": skill.description,
                "content": content[:MAX_CONTENT].decode("utf-8", "ignore"),
                "truncated": len(content) > MAX_CONTENT,
            },
        )

    def credentials(self, ask: DetectCredentials) -> DetectCredentialsResult:
        """Where the harnesses' vendors have credentials here; their values stay here."""
        found: dict[tuple[str, str, str | None], None] = {}
        home = self._environ.get("HOME", "")
        for name, row in self._rows.items():
            family = harnesses.provider_of(name)
            if row.key_name and self._environ.get(row.key_name):
                found[family, "environment", row.key_name] = None
            if row.login and home and Path(home, row.login).is_file():
                found[family, f"~/{row.login}", None] = None
        return DetectCredentialsResult(
            request_id=ask.request_id,
            credentials=tuple(
                {"family": family, "source": source, "env_var": variable}
                for family, source, variable in sorted(found, key=lambda row: (row[0], row[1]))
            ),
        )

    def _home(self) -> tuple[Path, ...]:
        """The user's directory, unless this host's roots leave it out."""
        try:
            return (self._disk.resolve(_HOME),)
        except PathRefused:
            return ()


def _by_name(*roots: Path) -> Mapping[str, Skill]:
    """Of two with one name, that of the first root."""
    found: dict[str, Skill] = {}
    for root in roots:
        for skill in offered(root):
            found.setdefault(skill.name, skill)
    return found

"""`load_skill`, `read_skill_file`, and tools that an agent declares for one skill each."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.skill_shelf import Shelf, Skill, SkillFileError
from omnigent.runner.tools.answers import schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.spec.types import AgentSpec, SkillTool

LOAD_SKILL: Final = "load_skill"
MOST_DESCRIBED: Final = 100
_TEXT: Final = {"type": "string"}
_DESCRIPTION_CHARS: Final = 300
_FILES_NAMED: Final = 50


class LoadSkill:
    """Answers with what the skill says, and the names of its files."""

    mutates = False

    def __init__(self, skills: Sequence[Skill] = ()) -> None:
        shown = [f"- {skill.name}: {_one_line(skill.description)}" for skill in skills[:MOST_DESCRIBED]]
        rest = len(skills) - len(shown)
        more = [f"- and {rest} more"] if rest > 0 else []
        known = "\n".join(["There are:", *shown, *more]) if shown else "There are none at present."
        self.schema = ToolSchema(
            name=LOAD_SKILL,
            description=f"Read the instructions of a skill before work that it is about. {known}",
            parameters=schema_of(("name",), name=_TEXT),
        )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        skill = _named(context, text_argument(arguments, "name"))
        files = await asyncio.to_thread(skill.folder.files)
        return f"[The skill {skill.name}.{_listed(files)}]\n\n{skill.instructions}\n"


class ReadSkillFile:
    """Answers with a text file that stands beside a skill's instructions."""

    mutates = False
    schema = ToolSchema(
        name="read_skill_file",
        description="Read a file that belongs to a skill; load_skill names them.",
        parameters=schema_of(
            ("skill_name", "path"),
            skill_name=_TEXT,
            path={"type": "string", "description": "Path inside the skill's directory."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        skill = _named(context, text_argument(arguments, "skill_name"))
        path = text_argument(arguments, "path").removeprefix("./")
        try:
            content = await asyncio.to_thread(skill.folder.read, path)
        except SkillFileError as exc:
            files = await asyncio.to_thread(skill.folder.files)
            raise ToolError(f"{exc}.{_listed(files)}") from exc
        if b"\x00" in content[:8192]:
            return f"[{path} is a binary file of {len(content)} bytes]\n"
        return content.decode("utf-8", "replace")


class OneSkill:
    """A tool without parameters that loads its skill as load_skill does, and is judged like it."""

    mutates = False

    def __init__(self, declared: SkillTool, skills: Mapping[str, Skill]) -> None:
        self._skill = declared.skill
        known = skills.get(declared.skill)
        description = declared.description or (known.description if known else "")
        self.schema = ToolSchema(
            name=declared.name,
            description=description or f"Load the skill {declared.skill}.",
            parameters=schema_of(),
        )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        call = context.rooms.home.call_tool
        return await call(LOAD_SKILL, {"name": self._skill}, secrets.token_hex(16))


def _named(context: ToolContext, name: str) -> Skill:
    # The name is taken as it is: policies have judged that very text.
    skills = context.agent.shelf.skills
    if name not in skills:
        there = ", ".join(sorted(skills)[:MOST_DESCRIBED])
        raise ToolError(f"there is no skill {name[:100]!r}; there are: {there or 'none'}")
    return skills[name]


def _listed(files: Sequence[str]) -> str:
    if not files:
        return " It has no other files."
    rest = len(files) - _FILES_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f" Its files, for read_skill_file: {', '.join(files[:_FILES_NAMED])}{more}."


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _DESCRIPTION_CHARS else f"{line[: _DESCRIPTION_CHARS - 1]}…"


def granted(spec: AgentSpec, shelf: Shelf) -> Mapping[str, Tool]:
    """Every agent may load skills; files can be read where a skill has any."""
    skills = list(shelf.skills.values())
    tools: list[Tool] = [OneSkill(declared, shelf.skills) for declared in spec.skill_tools]
    tools.append(LoadSkill(skills))
    if any(skill.has_files for skill in skills):
        tools.append(ReadSkillFile())
    return {tool.schema.name: tool for tool in tools}

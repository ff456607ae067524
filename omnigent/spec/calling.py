"""Calling a skill of a bundle by name, as people do with slash commands."""

from collections.abc import Mapping, Sequence

from omnigent.spec import bundle, skills

ARGUMENTS = "$ARGUMENTS"
_MAX_ECHO = 100


class UnknownSkill(LookupError):
    """There is no such skill that people may call; the message names those that there are."""

    def __init__(self, name: str, available: Sequence[str]) -> None:
        super().__init__(f"Skill '{name[:_MAX_ECHO]}' not found. Available skills: {list(available)}")
        self.available = tuple(available)


def callable_skills(data: bytes) -> dict[str, str]:
    """By name, the instructions of each skill in an archive that people may call. Raises BundleError."""
    files = {
        path: content
        for path, content in bundle.members(data)
        if skills.is_skill_file(path) and len(content) <= bundle.MAX_DOCUMENT_BYTES
    }
    return {
        skill.name: skills.instructions_of(files[f"{skill.path}/SKILL.md"])
        for skill in skills.read_skills(files, [])
        if skill.user_invocable
    }


def call(available: Mapping[str, str], name: str, arguments: str) -> str:
    """What a model is told when somebody calls a skill. Raises UnknownSkill.

    The words behind the command take the place of `$ARGUMENTS`; without that place they follow.
    """
    if name not in available:
        raise UnknownSkill(name, sorted(available))
    instructions, words = available[name], arguments.strip()
    if ARGUMENTS in instructions:
        instructions = instructions.replace(ARGUMENTS, words)
    elif words:
        instructions = f"{instructions}\n\nArguments: {words}"
    return f"[The user calls the skill {name}. Follow its instructions.]\n\n{instructions}"

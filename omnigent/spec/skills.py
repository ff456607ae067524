"""SKILL.md files of a bundle -> skill references."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omnigent.spec.document import load_mapping
from omnigent.spec.errors import BundleError
from omnigent.spec.reader import Reader
from omnigent.spec.types import SkillRef

MAX_DESCRIPTION = 1024
_SLUG = re.compile(r"^[a-z0-9-]{1,64}\Z")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_BARE_DESCRIPTION = re.compile(r"^(description:[ \t]+)([^'\"|>\s].*)$", re.MULTILINE)
_NO = {"false", "no", "off", "0"}


def read_skills(files: Mapping[str, bytes], problems: list[str]) -> tuple[SkillRef, ...]:
    """All skills of a bundle, by path; `skills/<dir>/` and one namespace level above it count."""
    found: dict[str, SkillRef] = {}
    for index, (path, directory) in enumerate(_skill_files(files)):
        skill = _skill(path, directory, files[path], problems)
        if skill is None:
            continue
        if len(skill.description) > MAX_DESCRIPTION:
            problems.append(f"skills[{index}].description: longer than {MAX_DESCRIPTION} characters ({path})")
        if skill.name in found:
            problems.append(f"skills[{index}].name: duplicate {skill.name!r} ({path})")
        found.setdefault(skill.name, skill)
    return tuple(found.values())


def is_skill_file(path: str) -> bool:
    """Whether this file of a bundle describes a skill."""
    parts = path.split("/")
    return parts[0] == "skills" and parts[-1] == "SKILL.md" and len(parts) in {3, 4}


def _skill_files(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for path in sorted(files):
        if is_skill_file(path):
            yield path, path.split("/")[-2]


def _skill(path: str, directory: str, content: bytes, problems: list[str]) -> SkillRef | None:
    match = _FRONT_MATTER.match(content.decode("utf-8-sig", errors="replace"))
    if match is None:
        problems.append(f"{path}: front matter between --- lines is required")
        return None
    read = Reader(_front_matter(path, match[1]), path, problems)
    name, description = read.text("name"), read.text("description")
    for key, value in (("name", name), ("description", description)):
        if not value:
            read.complain(key, "required")
    if not name or not description:
        return None
    identifier = directory if _SLUG.match(directory) else name
    return SkillRef(
        name=identifier,
        description=description,
        path=path.removesuffix("/SKILL.md"),
        display_name=name if name != identifier else None,
        user_invocable=str(read.data.get("user-invocable", "true")).lower() not in _NO,
    )


def instructions_of(content: bytes) -> str:
    """What a SKILL.md says below its front matter."""
    text = content.decode("utf-8-sig", errors="replace")
    match = _FRONT_MATTER.match(text)
    return (text[match.end() :] if match else text).strip()


def _front_matter(path: str, text: str) -> dict[str, Any]:
    try:
        return load_mapping(text, name=path)
    except BundleError:
        # Authors write descriptions with a colon inside and no quotes.
        quoted = _BARE_DESCRIPTION.sub(lambda line: line[1] + "'" + line[2].replace("'", "''") + "'", text)
        return load_mapping(quoted, name=path)

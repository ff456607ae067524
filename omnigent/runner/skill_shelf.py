"""The skills of one session: those of its agent, then those that its workspace and this host offer."""

import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from omnigent.spec import skills
from omnigent.spec.errors import InvalidAgentError
from omnigent.spec.types import AgentSpec, SkillRef

PLACES: Final = (".claude/skills", ".agents/skills")
DOCUMENT: Final = "SKILL.md"
MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_FILE_BYTES: Final = 1024 * 1024
MAX_SKILLS: Final = 200
MAX_FILES: Final = 200
MAX_DIRECTORIES: Final = 100


class SkillFileError(Exception):
    """A file of a skill that cannot be read; the message is for the model."""


class Folder(Protocol):
    """The directory of a skill."""

    def files(self) -> Sequence[str]:
        """Relative paths of what stands beside SKILL.md, sorted."""
        ...

    def read(self, path: str) -> bytes:
        """One of the files. Raises SkillFileError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Skill:
    """What a skill says, and where its files are. `is_for_people` tells that it can be a slash command,
    `has_files` that there was more than its instructions when it was found.
    """

    name: str
    description: str
    instructions: str
    is_for_people: bool
    folder: Folder
    has_files: bool = False


@dataclass(frozen=True, slots=True)
class BundledFolder:
    """Files of a bundle below `base`; None stands for one that is too large to be kept in memory."""

    kept: Mapping[str, bytes | None]
    base: str

    def files(self) -> Sequence[str]:
        inside = (
            path.removeprefix(f"{self.base}/") for path in self.kept if path.startswith(f"{self.base}/")
        )
        return sorted(path for path in inside if path != DOCUMENT)

    def read(self, path: str) -> bytes:
        key = f"{self.base}/{path}"
        if key not in self.kept:
            raise SkillFileError(f"there is no file {path!r} in this skill")
        content = self.kept[key]
        if content is None:
            raise SkillFileError(f"{path!r} is too large")
        return content


@dataclass(frozen=True, slots=True)
class DiskFolder:
    """A directory on this machine. Nothing below `root` is reached through a link."""

    root: Path
    base: tuple[str, ...]

    def files(self) -> Sequence[str]:
        found: list[str] = []
        waiting: deque[tuple[str, ...]] = deque([()])
        seen = 0
        while waiting and len(found) < MAX_FILES and seen < MAX_DIRECTORIES:
            inner = waiting.popleft()
            seen += 1
            rows = _entries(self.root, (*self.base, *inner))
            found += ["/".join((*inner, name)) for name, is_directory in rows if not is_directory]
            waiting += [(*inner, name) for name, is_directory in rows if is_directory]
        return sorted(path for path in found if path != DOCUMENT)[:MAX_FILES]

    def read(self, path: str) -> bytes:
        parts = path.split("/")
        if "\x00" in path or any(part in {"", ".", ".."} for part in parts):
            raise SkillFileError(f"{path!r} is no path inside the skill")
        try:
            return _read(self.root, (*self.base, *parts), MAX_FILE_BYTES)
        except OSError as exc:
            reason = "it is missing, a link, or too large" if exc.errno is None else exc.strerror
            raise SkillFileError(f"{path!r} cannot be read: {reason}") from exc


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """All skills by name."""

    skills: Mapping[str, Skill] = field(default_factory=dict)

    @property
    def for_people(self) -> dict[str, str]:
        """By name, what those say that people may call."""
        return {name: skill.instructions for name, skill in self.skills.items() if skill.is_for_people}


NO_SKILLS: Final = Shelf()


def shelf_of(
    spec: AgentSpec, kept: Mapping[str, bytes | None], base: str, roots: Sequence[Path] = ()
) -> Shelf:
    """The agent's own skills, `base` being its directory in the bundle, then those it wants of the host's.

    Of two with one name the first counts: the agent's, then those of the first of `roots`.
    """
    found = {skill.name: skill for skill in _bundled(spec, kept, base)}
    if spec.host_skills != "none":
        for root in roots:
            for skill in offered(root):
                if spec.host_skills == "all" or skill.name in spec.host_skills:
                    found.setdefault(skill.name, skill)
    return Shelf(skills=found)


def _bundled(spec: AgentSpec, kept: Mapping[str, bytes | None], base: str) -> Iterator[Skill]:
    for reference in spec.skills:
        folder = BundledFolder(kept, f"{base}/{reference.path}" if base else reference.path)
        content = kept.get(f"{folder.base}/{DOCUMENT}")
        if content is not None:
            yield _skill(reference, content, folder)


def offered(root: Path) -> Iterator[Skill]:
    """The skills in the usual places below a directory; those that cannot be read are left out."""
    for place in PLACES:
        names = [name for name, is_directory in _entries(root, tuple(place.split("/"))) if is_directory]
        for name in sorted(names)[:MAX_SKILLS]:
            base = (*place.split("/"), name)
            try:
                content = _read(root, (*base, DOCUMENT), MAX_DOCUMENT_BYTES)
                references = skills.read_skills({f"skills/{name}/{DOCUMENT}": content}, [])
            except (OSError, InvalidAgentError, UnicodeError):
                continue
            for reference in references:
                if len(reference.description) <= skills.MAX_DESCRIPTION:
                    yield _skill(reference, content, DiskFolder(root, base))


def _skill(reference: SkillRef, content: bytes, folder: Folder) -> Skill:
    return Skill(
        name=reference.name,
        description=reference.description,
        instructions=skills.instructions_of(content),
        is_for_people=reference.user_invocable,
        folder=folder,
        has_files=bool(folder.files()),
    )


def _entries(root: Path, parts: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Names of the files and directories there, each with whether it is a directory; no links."""
    try:
        descriptor = _opened(root, parts, os.O_DIRECTORY)
    except OSError:
        return []
    try:
        with os.scandir(descriptor) as entries:
            rows = [
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            ]
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return sorted(rows)


def _read(root: Path, parts: tuple[str, ...], most: int) -> bytes:
    """A regular file. Raises OSError, without a number when it is none or too large."""
    with os.fdopen(_opened(root, parts, os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError("too large")
    return content


def _opened(root: Path, parts: tuple[str, ...], flags: int) -> int:
    """A descriptor of what the parts lead to, none of them through a link. Raises OSError."""
    common = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for index, part in enumerate(parts):
        wanted = flags if index == len(parts) - 1 else os.O_DIRECTORY
        try:
            following = os.open(part, common | wanted, dir_fd=at)
        finally:
            os.close(at)
        at = following
    return at

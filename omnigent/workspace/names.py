"""Paths as the API writes them: relative, with `/` between the names."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote

Parts = tuple[str, ...]
MOST_PATH: Final = 4096
_PARENTS: Final = ".."
# The repository's own directory, also by the names under which some file systems find it.
_REPOSITORY: Final = frozenset({".git", "git~1"})
_IGNORED: Final = dict.fromkeys((0x200C, 0x200D, 0x200E, 0x200F, 0xFEFF, *range(0x202A, 0x202F)))


class BadPath(ValueError):
    """A path that no environment has; the text says why."""


def parts_of(path: str, root: Path) -> Parts:
    """The names in a path; the empty path is the root itself. Raises BadPath.

    An absolute path must lie below the root as it is written. A name that only spells `..` in percent signs
    is refused too, because whoever hands paths on may decode them once more.
    """
    if "\x00" in path or "%00" in path:
        raise BadPath("A path must not contain a NUL character")
    if len(path) > MOST_PATH:
        raise BadPath(f"A path has at most {MOST_PATH} characters")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise BadPath("A path must be text") from None
    names = [name for name in path.split("/") if name not in {"", "."}]
    if any(_PARENTS in _spellings(name) for name in names):
        raise BadPath("Parent path segments are not permitted")
    if path.startswith("/"):
        above = root.parts[1:]
        if tuple(names[: len(above)]) != above:
            raise BadPath("An absolute path must lie in the environment")
        names = names[len(above) :]
    return tuple(names)


def _spellings(name: str) -> set[str]:
    """What a name becomes when it is decoded again and again, each also as Windows would split it."""
    found = {name}
    while (decoded := unquote(name)) != name:
        name = decoded
        found.add(name)
    return {part for one in found for part in one.replace("\\", "/").split("/")}


def shown(parts: Parts) -> str:
    """A path as people write it; bytes that are no text are replaced."""
    return text_of("/".join(parts))


def text_of(name: str) -> str:
    """A name that every JSON encoder can write."""
    return name if is_text(name) else "".join(one if is_text(one) else "\ufffd" for one in name)


def is_text(name: str) -> bool:
    """Whether a name can be written in JSON as it is."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_of_repository(parts: Parts) -> bool:
    """Whether a path is a repository's own directory, or lies in one."""
    return any(name.translate(_IGNORED).casefold().rstrip(". ") in _REPOSITORY for name in parts)

"""The one rule for names of git branches, for both ends of a tunnel: what git refuses, or would misread."""

import re

MAX_BYTES = 200
HEAD = "HEAD"

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
# git keeps these for itself: `git branch HEAD` is refused, and `@` is another way to write HEAD.
_RESERVED = frozenset((HEAD, "@"))


class BadGitName(ValueError):
    """A name that cannot be a branch; the text says which."""


def check_branch(name: str) -> None:
    """Refuse what cannot be the name of a new branch. Raises BadGitName."""
    parts = name.split("/")
    is_bad = (
        name in _RESERVED
        or not 0 < len(name.encode("utf-8", "replace")) <= MAX_BYTES
        or not _is_text(name)
        or name.startswith("-")
        or name.endswith(".")
        or _FORBIDDEN.search(name)
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    )
    if is_bad:
        raise BadGitName(f"{name[:100]!r} is not a usable branch name")


def check_base(name: str) -> None:
    """Refuse what cannot be where a branch starts: a branch, tag, commit id or HEAD. Raises BadGitName."""
    if name != HEAD:
        check_branch(name)


def _is_text(name: str) -> bool:
    """Whether the name can be written in UTF-8; half a surrogate pair cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

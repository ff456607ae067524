"""What a recursive `rm` would take with it."""

import posixpath
from collections.abc import Sequence
from fnmatch import fnmatchcase

from omnigent.policies.builtins.orchestration.findings import HARMLESS, Finding, Harm, is_computed, worst

SYSTEM_DIRS = frozenset(
    f"/{name}" for name in ("etc", "usr", "bin", "sbin", "lib", "lib64", "var", "boot", "dev", "proc", "sys")
)
CRITICAL_DIRS = frozenset({"/", "/root", "/home", "/opt", *SYSTEM_DIRS})
_GLOB = frozenset("*?[")


def of_rm(words: Sequence[str], folder: str = "") -> Finding:
    """The harm of `rm ...`; `folder` is where an earlier `cd` went, empty when unknown."""
    options, targets = _options_and_targets(words[1:])
    if not any(_is_recursive(option) for option in options):
        if any(is_computed(word) and word[0] in "$`{-" for word in words[1:]):
            return Finding(Harm.UNREADABLE, "may remove directories: its arguments are computed")
        return HARMLESS
    return worst(*(_of_target(target, folder) for target in targets), Finding(Harm.RISKY, _WHY_RISKY))


_WHY_RISKY = "removes a directory with all that is in it"


def _options_and_targets(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options may stand after targets; `--` ends them."""
    end = words.index("--") if "--" in words else len(words)
    options = [word for word in words[:end] if word.startswith("-") and word != "-"]
    targets = [word for word in words[:end] if not word.startswith("-")]
    return options, targets + list(words[end + 1 :])


def _is_recursive(option: str) -> bool:
    if option.startswith("--"):
        return len(option) > len("--") and "--recursive".startswith(option)
    return "r" in option or "R" in option


def _of_target(target: str, folder: str) -> Finding:
    path = _placed(target, folder)
    if _is_critical(path):
        return Finding(Harm.CATASTROPHIC, f"removes {target} with all that is in it")
    if is_computed(path):
        return Finding(Harm.UNREADABLE, f"removes {target} recursively, and it is computed")
    first, _, rest = path[1:].partition("/")
    if path.startswith("/") and _GLOB & set(first) and rest:
        return Finding(Harm.UNREADABLE, f"removes {target}, which may match system directories")
    return Finding(Harm.RISKY, _WHY_RISKY)


def _placed(target: str, folder: str) -> str:
    """An absolute or home path where that is known, without `.`, `..`, doubled slashes and a last `/*`."""
    path = target
    for home in ("${HOME}", "$HOME"):
        if path == home or path.startswith(f"{home}/"):
            path = f"~{path[len(home) :]}"
    if folder and not path.startswith(("/", "~", "$")):
        path = f"{folder}/{path}"
    if path.startswith("~"):
        user, _, rest = path.partition("/")
        below = _without_star(posixpath.normpath(rest)) if rest else "."
        if below.split("/")[0] == "..":
            return "/"  # all homes, or more
        return user if below == "." else f"{user}/{below}"
    path = posixpath.normpath(path) if path else ""
    return _without_star(f"/{path.lstrip('/')}" if path.startswith("/") else path)


def _without_star(path: str) -> str:
    """Removing all that is in a directory is as bad as removing the directory."""
    while path.rpartition("/")[2] in ("*", ".*", "**", "?*", "*?") and "/" in path:
        path = path.rpartition("/")[0] or "/"
    return "." if path in ("*", ".*", "**") else path


def _is_critical(path: str) -> bool:
    if path.startswith("~"):
        return "/" not in path
    if path in CRITICAL_DIRS:
        return True
    if not path.startswith("/"):
        return False
    first = f"/{path[1:].partition('/')[0]}"
    if first in SYSTEM_DIRS:
        return True
    return first == path and bool(_GLOB & set(path)) and any(fnmatchcase(d, path) for d in CRITICAL_DIRS)


def folder_after(words: Sequence[str], folder: str) -> str:
    """Where the shell is after `cd ...`: an absolute or home path, or empty when that cannot be told."""
    targets = [word for word in words[1:] if not word.startswith("-")]
    target = targets[0] if targets else "~" if len(words) == 1 else ""
    if target in ("$HOME", "${HOME}"):
        return "~"
    if not target or is_computed(target):
        return ""
    if target.startswith(("/", "~")):
        return target
    return f"{folder}/{target}" if folder else ""

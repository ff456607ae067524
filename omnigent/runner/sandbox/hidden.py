"""Entries whose names begin with a dot: what of a directory a sandbox does not show."""

import logging
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.runner.sandbox.errors import SandboxError
from omnigent.spec.machine import Sandbox

log = logging.getLogger(__name__)

ALWAYS_SHOWN: Final = frozenset({".venv"})
ALL: Final = "*"
_BULKY: Final = "node_modules"


@dataclass(frozen=True, slots=True)
class Mask:
    """Something to hide. Links are not hidden: what they lead to is shown or hidden by its own name."""

    path: Path
    is_directory: bool


def hidden_in(root: Path, sandbox: Sandbox) -> list[Mask]:
    """What to hide below a directory. Raises SandboxError when the scan is cut and that is an error."""
    if ALL in sandbox.cwd_allow_hidden:
        return []
    shown = ALWAYS_SHOWN | frozenset(sandbox.cwd_allow_hidden)
    most = None if sandbox.cwd_hidden_scan_overflow == "unlimited" else sandbox.cwd_hidden_scan_max_entries
    masks: list[Mask] = []
    for count, entry in enumerate(_entries(root, shown, recursive=sandbox.cwd_hidden_scan_recursive), 1):
        if most is not None and count > most:
            if sandbox.cwd_hidden_scan_overflow == "error":
                raise SandboxError(
                    f"os_env.sandbox: {root} has more than {most} entries (cwd_hidden_scan_max_entries), "
                    "so hidden ones among them might be shown"
                )
            log.critical("hidden files may be shown", extra={"directory": str(root), "entries": most})
            break
        if entry.name.startswith(".") and entry.name not in shown and not entry.is_symlink():
            masks.append(Mask(Path(entry.path), entry.is_dir(follow_symlinks=False)))
    return masks


def _entries(root: Path, shown: frozenset[str], *, recursive: bool) -> Iterator["os.DirEntry[str]"]:
    """All of a directory, or of its tree without what is hidden anyway; bulky directories come last."""
    waiting, bulky = deque([str(root)]), deque[str]()
    while waiting or bulky:
        directory = (waiting or bulky).popleft()
        try:
            entries = list(os.scandir(directory))
        except OSError:
            # What this process cannot look into, the sandbox cannot either: it has fewer rights.
            continue
        for entry in entries:
            yield entry
            is_hidden = entry.name.startswith(".") and entry.name not in shown
            if recursive and not is_hidden and entry.is_dir(follow_symlinks=False):
                (bulky if entry.name == _BULKY else waiting).append(entry.path)

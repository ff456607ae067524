"""What a workspace without a repository held at some moment, so that later changes can be told."""

import stat
from collections.abc import Mapping
from typing import Final

from omnigent.workspace.changes import Found, Shown, changes_page, everything
from omnigent.workspace.entries import Json
from omnigent.workspace.names import Parts
from omnigent.workspace.root import Root
from omnigent.workspace.scanning import Bounds, scanned

MOST_FILES: Final = 20_000
SECONDS: Final = 3.0

Baseline = Mapping[Parts, tuple[int, int, int]]
"""Path to size, time of change in nanoseconds and inode."""


def baseline_of(root: Root) -> Baseline | None:
    """All files; None when there are too many to be looked at each time."""
    bounds = Bounds(entries=MOST_FILES, seconds=SECONDS)
    try:
        found = {
            one.parts: (one.stat.st_size, one.stat.st_mtime_ns, one.stat.st_ino)
            for one in scanned(root, (), bounds)
            if not stat.S_ISDIR(one.stat.st_mode)
        }
    except OSError:
        return None
    return None if bounds.is_cut else found


def changed_since(baseline: Baseline, root: Root, is_shown: Shown = everything) -> Json:
    """Rows sorted by path; nothing once there are too many files."""
    now = baseline_of(root)
    paths = set() if now is None else {*baseline, *now}
    touched = {path for path in paths if baseline.get(path) != (now or {}).get(path)}
    return changes_page(root, {parts: Found(parts in baseline) for parts in touched}, is_shown)

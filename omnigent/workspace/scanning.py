"""Everything below a directory, nearest first, within bounds of time and number; links are not followed."""

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from omnigent.workspace.names import Parts, is_text
from omnigent.workspace.root import Root, scannable

MOST_ENTRIES: Final = 200_000
SECONDS: Final = 10.0
_REPOSITORY: Final = ".git"
_BULKY: Final = frozenset({"node_modules", ".venv", "venv", "__pycache__", "target", "vendor"})


@dataclass(kw_only=True, slots=True)
class Bounds:
    """What a scan may cost; `is_cut` tells afterwards that it was not everything."""

    entries: int = MOST_ENTRIES
    seconds: float = SECONDS
    now: Callable[[], float] = time.monotonic
    is_cut: bool = False
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = self.now() + self.seconds

    def allow(self) -> bool:
        """Whether one more entry may be looked at."""
        self.entries -= 1
        self.is_cut = self.is_cut or self.entries < 0
        return self.in_time()

    def in_time(self) -> bool:
        """Whether it may go on."""
        self.is_cut = self.is_cut or self.now() > self._end
        return not self.is_cut


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a scan, and the directory that it is in, open until the next one."""

    parts: Parts
    stat: os.stat_result
    directory: int


def scanned(root: Root, start: Parts, bounds: Bounds) -> Iterator[Found]:
    """Entries with names that are text, without what git keeps for itself; bulky directories come last.

    A directory that cannot be opened is left out. Raises OSError for the first one only.
    """
    waiting, bulky = deque([start]), deque[Parts]()
    while (waiting or bulky) and not bounds.is_cut:
        parts = (waiting or bulky).popleft()
        try:
            outer = root.directory(parts)
            try:
                descriptor = scannable(outer)
            finally:
                os.close(outer)
        except OSError:
            if parts == start:
                raise
            continue
        try:
            for name, own in _entries(descriptor, bounds):
                yield Found((*parts, name), own, descriptor)
                if stat.S_ISDIR(own.st_mode):
                    (bulky if name in _BULKY else waiting).append((*parts, name))
        finally:
            os.close(descriptor)


def _entries(descriptor: int, bounds: Bounds) -> Iterator[tuple[str, os.stat_result]]:
    """Sorted by name, so that what is cut off does not depend on the file system."""
    names = []
    with os.scandir(descriptor) as entries:
        for found in entries:
            if not bounds.allow():
                break
            if found.name != _REPOSITORY and is_text(found.name):
                names.append(found.name)
    for name in sorted(names):
        if names and not bounds.is_cut and not bounds.in_time():
            return
        try:
            yield name, os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError:
            # It went meanwhile.
            continue

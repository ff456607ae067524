"""Where a process kills itself: a named point, armed from outside by a file, reached at most once.

The process under test runs with tests.chaos.settings; the test writes the point into the fuse file. The first
process that comes to the point takes the file away and sends itself SIGKILL, as if the power had gone.
"""

import os
import re
import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

FILE_VARIABLE = "CHAOS_FUSE"
TAKEN_SUFFIX = ".reached"


class Moment(StrEnum):
    """What the settings module can observe without any help from the product."""

    BEFORE_STATEMENT = "before statement"
    AFTER_STATEMENT = "after statement"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    BEFORE_ANSWER = "before answer"
    AFTER_FRAME = "after frame"
    BEFORE_SOCKET_TEXT = "before socket text"
    AFTER_SOCKET_TEXT = "after socket text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A moment and what it must be about: SQL, a request line, a stream frame or a tunnel frame."""

    moment: Moment
    match: str

    def dump(self) -> str:
        """One line per member."""
        return f"{self.moment}\n{self.match}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `dump` wrote."""
        moment, match = text.split("\n", 1)
        return cls(moment=Moment(moment), match=match)


class Fuse:
    """Looks at the file at every moment; without a file nothing happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reach(self, moment: Moment, *subjects: str) -> None:
        """End this process if the armed point is this one."""
        try:
            point = Point.parse(self._path.read_text())
        except FileNotFoundError:
            return
        if point.moment is not moment or not any(re.search(point.match, text) for text in subjects):
            return
        try:
            # One process only: whoever renames the file is the one that dies.
            self._path.rename(self._path.with_suffix(TAKEN_SUFFIX))
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def fuse_from_environment() -> Fuse:
    """The fuse of this process."""
    return Fuse(Path(os.environ[FILE_VARIABLE]))

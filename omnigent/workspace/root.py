"""A directory held open, and the way from it to what lies below: by directory descriptors only.

Every step opens one name in a directory that is already open, and never follows a link by itself. So it does
not matter what is put in the place of what meanwhile: nothing that was checked is looked up a second time.
"""

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.workspace.errors import Refused, invalid, missing, refused
from omnigent.workspace.names import BadPath, Parts, parts_of, shown

MOST_LINKS: Final = 40
_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
HERE: Final = "."


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open directory; `real` is where that is below the root, links followed."""

    directory: int
    name: str
    real: Parts

    def stat(self) -> os.stat_result:
        """What is there, a link itself. Raises OSError."""
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)


class Root:
    """Made by `opened`. `path` is absolute and free of links."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator["Root"]:
        """The directory at a path that was resolved before; a link on the way has come since, and is refused.

        Raises Refused.
        """
        try:
            descriptor = _descended(os.open("/", _DIRECTORY), path.parts[1:])
        except OSError as exc:
            raise Refused(404, "not_found", f"The environment's directory {path} is gone") from exc
        try:
            yield cls(descriptor, path)
        finally:
            os.close(descriptor)

    def parts(self, path: str) -> Parts:
        """The names in a path of the API. Raises Refused."""
        try:
            return parts_of(path, self.path)
        except BadPath as exc:
            raise invalid(str(exc)) from exc

    @contextlib.contextmanager
    def place(self, parts: Parts, *, follow: bool = True) -> Iterator[Place]:
        """Where a path leads; the last name need not exist. Raises Refused for a way out, and for a gap.

        Links on the way are followed, the last one too with `follow`, as long as they stay below the root.
        """
        walk = _Walk(self, parts)
        try:
            yield walk.to_the_end(follow=follow)
        except OSError as exc:
            raise refused(exc, shown(parts)) from exc
        finally:
            walk.close()

    def directory(self, parts: Sequence[str]) -> int:
        """A descriptor of a directory below, no links followed; the caller closes it. Raises OSError."""
        return _descended(os.dup(self._descriptor), parts)


class _Walk:
    """One way from a root, with one descriptor open at a time."""

    def __init__(self, root: Root, parts: Parts) -> None:
        self._root = root
        self._asked = parts
        self._left = deque(parts)
        self._real: list[str] = []
        self._links = 0
        self._descriptor = root.directory(())

    def close(self) -> None:
        os.close(self._descriptor)

    def to_the_end(self, *, follow: bool) -> Place:
        """Raises Refused and OSError."""
        while self._left:
            name = self._left.popleft()
            if name in {"", HERE}:
                continue
            if name == "..":
                self._up()
                continue
            is_last = not self._left
            target = None if is_last and not follow else self._link(name)
            if target is not None:
                self._turn(target)
            elif is_last:
                return Place(self._descriptor, name, (*self._real, name))
            else:
                self._into(name)
        return Place(self._descriptor, HERE, tuple(self._real))

    def _link(self, name: str) -> str | None:
        """What a link says; None when it is none."""
        try:
            return os.readlink(name, dir_fd=self._descriptor)
        except OSError as exc:
            if exc.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise

    def _turn(self, target: str) -> None:
        self._links += 1
        if self._links > MOST_LINKS:
            raise invalid(f"Path '{shown(self._asked)}' goes through too many links")
        if target.startswith("/"):
            target = self._below_root(target)
            self._restart(())
        self._left.extendleft(reversed(target.split("/")))

    def _below_root(self, target: str) -> str:
        """Where an absolute link leads, seen from the root. This only chooses a way, which is then walked."""
        real = Path(os.path.realpath(target))
        if not real.is_relative_to(self._root.path):
            raise self._outside()
        return str(real.relative_to(self._root.path))

    def _up(self) -> None:
        if not self._real:
            raise self._outside()
        self._restart(self._real[:-1])

    def _restart(self, parts: Sequence[str]) -> None:
        descriptor = self._root.directory(parts)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._real = list(parts)

    def _into(self, name: str) -> None:
        self._descriptor = _step(self._descriptor, name)
        self._real.append(name)

    def _outside(self) -> Refused:
        return invalid(f"Path '{shown(self._asked)}' leads out of the environment")


def _step(descriptor: int, name: str) -> int:
    """The directory of that name, in the place of the one it is in, which is closed. Raises OSError."""
    inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
    os.close(descriptor)
    return inner


def _descended(descriptor: int, parts: Sequence[str]) -> int:
    """The directory at the end of these names; the one it starts from is closed in any case."""
    try:
        for name in parts:
            descriptor = _step(descriptor, name)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def scannable(descriptor: int, name: str = HERE) -> int:
    """A descriptor that `os.scandir` takes, of a directory in an open one. Raises OSError."""
    return os.open(name, _LISTED, dir_fd=descriptor)


def opened_file(place: Place, parts: Parts) -> tuple[int, os.stat_result]:
    """A regular file for reading; anything else may block, and is not opened. Raises Refused, OSError."""
    if not stat.S_ISREG(place.stat().st_mode):
        raise invalid(f"Path '{shown(parts)}' is not a regular file")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(place.name, flags, dir_fd=place.directory)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise missing(shown(parts))
    return descriptor, found

"""What the server may see and make of this machine's disk: stat, list and create, inside allowed roots."""

import stat
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from contextlib import suppress
from os import scandir
from pathlib import Path

from omnigent.protocol.host_frames import (
    CreateDir,
    CreateDirResult,
    DirEntry,
    ListDir,
    ListDirResult,
    Stat,
    StatResult,
)

MAX_PAGE = 1000
MAX_PATH = 4096

# Servers name workspaces of their own under this directory, whatever root the operator chose.
_CONVENTIONAL_ROOT = Path("~/omnigent")


class PathRefused(ValueError):
    """A path that cannot be used; the text says why."""


class FileSystem:
    """Blocking operations on paths the server names; call them from a thread."""

    def __init__(self, *, workspace_root: Path, roots: Iterable[Path] = ()) -> None:
        self.workspace_root = workspace_root
        self.roots = tuple(roots)

    def resolve(self, text: str) -> Path:
        """The real path a text means: absolute or under ~, links followed, inside the roots. PathRefused."""
        if not text or "\x00" in text or len(text) > MAX_PATH:
            raise PathRefused("not a usable path")
        if text != "~" and not text.startswith(("/", "~/")):
            raise PathRefused("the path must be absolute or start with ~/")
        path = Path(text)
        if path.is_relative_to(_CONVENTIONAL_ROOT):
            path = self.workspace_root / path.relative_to(_CONVENTIONAL_ROOT)
        try:
            real = path.expanduser().resolve()
            str(real).encode()  # a link may lead to a name that no text can carry
        except (OSError, RuntimeError, UnicodeError) as error:
            raise PathRefused(f"cannot resolve the path: {error}") from None
        if self.roots and not any(real.is_relative_to(root) for root in self.roots):
            raise PathRefused("the path is outside the directories that this host allows")
        return real

    def is_directory(self, text: str) -> Path | None:
        """The real directory a text means, None when there is none. Raises PathRefused."""
        path = self.resolve(text)
        with suppress(OSError):
            if path.is_dir():
                return path
        return None

    def stat(self, ask: Stat) -> StatResult:
        """Type and real path; a path with nothing there is a normal answer."""
        try:
            path = self.resolve(ask.path)
            mode = path.stat().st_mode
        except PathRefused as error:
            return StatResult(request_id=ask.request_id, status="failed", error=str(error))
        except (FileNotFoundError, NotADirectoryError):
            return StatResult(request_id=ask.request_id, status="ok", canonical_path=str(path))
        except OSError as error:
            return StatResult(request_id=ask.request_id, status="failed", error=error.strerror)
        return StatResult(
            request_id=ask.request_id, status="ok", exists=True, type=_kind(mode), canonical_path=str(path)
        )

    def list_dir(self, ask: ListDir) -> ListDirResult:
        """One page sorted by name; cursors are entry paths and need not exist any more."""
        try:
            path = self.resolve(ask.path)
            names = sorted(_names(path))
        except PathRefused as error:
            return ListDirResult(request_id=ask.request_id, status="failed", error=str(error))
        except OSError as error:
            return ListDirResult(request_id=ask.request_id, status="ok", error=error.strerror)
        limit = min(max(ask.limit, 1), MAX_PAGE)
        low = bisect_right(names, Path(ask.after).name) if ask.after else 0
        high = bisect_left(names, Path(ask.before).name) if ask.before else len(names)
        within = names[low:high]
        page = within[-limit:] if ask.before and not ask.after else within[:limit]
        return ListDirResult(
            request_id=ask.request_id,
            status="ok",
            entries=tuple(_entry(path / name) for name in page),
            has_more=len(within) > limit,
        )

    def create_dir(self, ask: CreateDir) -> CreateDirResult:
        """Make a directory with its parents; one that is already there is ok, and said in `error`."""
        try:
            path = self.resolve(ask.path)
            path.mkdir(parents=True)
        except PathRefused as error:
            return CreateDirResult(request_id=ask.request_id, status="failed", error=str(error))
        except FileExistsError:
            return CreateDirResult(
                request_id=ask.request_id, status="ok", path=str(path), error="already exists"
            )
        except OSError as error:
            return CreateDirResult(request_id=ask.request_id, status="failed", error=error.strerror)
        return CreateDirResult(request_id=ask.request_id, status="ok", path=str(path))


def _names(path: Path) -> Iterable[str]:
    """Entry names that text can carry; others cannot be named over the wire."""
    with scandir(path) as entries:
        for entry in entries:
            with suppress(UnicodeEncodeError):
                entry.name.encode()
                yield entry.name


def _entry(path: Path) -> DirEntry:
    try:
        found = path.stat()
    except OSError:
        return DirEntry(name=path.name, path=str(path), type="other")
    kind = _kind(found.st_mode)
    return DirEntry(
        name=path.name,
        path=str(path),
        type=kind,
        bytes=found.st_size if kind == "file" else None,
        modified_at=int(found.st_mtime),
    )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "directory"
    return "file" if stat.S_ISREG(mode) else "other"

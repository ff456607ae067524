"""What differs between a workspace and its repository's last commit, and the two versions of one file."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from omnigent.workspace.entries import ENTRY, Json
from omnigent.workspace.errors import Refused
from omnigent.workspace.git import Git, GitFailed
from omnigent.workspace.names import Parts, is_text, shown, text_of
from omnigent.workspace.reading import beginning_of
from omnigent.workspace.repository import Repository
from omnigent.workspace.root import Root, opened_file

MOST_ROWS: Final = 10_000
MOST_DIFFED: Final = 4 * 1024 * 1024
"""Of each side of a difference; what is longer is cut there."""
DIFF: Final = "session.environment.filesystem.file_diff"
_MOST_COUNTED: Final = 32 * 1024 * 1024
_STATUS: Final = (
    *("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignored=no"),
    *("--ignore-submodules=dirty", "--no-renames"),
)
_COUNTS: Final = (
    *("diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"),
    "--ignore-submodules=dirty",
)
_NOWHERE: Final = "000000"

Shown = Callable[[Parts], bool]
"""Whether a path of the workspace may be told about."""


def everything(parts: Parts) -> bool:
    """Hides nothing."""
    return True


@dataclass(frozen=True, slots=True)
class Lines:
    """How many; None for what is not text."""

    added: int | None
    removed: int | None


@dataclass(slots=True)
class Found:
    """A path that differs: whether it was there before, and by how many lines if somebody has counted."""

    was_there: bool
    lines: Lines | None = None


def changed(git: Git, repository: Repository, root: Root, is_shown: Shown = everything) -> Json:
    """Rows sorted by path, untracked files too; a rename is a created and a deleted one. Raises Refused."""
    scope = ("--", "/".join(repository.prefix)) if repository.prefix else ()
    try:
        with repository.alone() as extra:
            settings = repository.settings
            status = git.output(repository.top, *settings, *_STATUS, *scope, extra=extra)
            counts = _counts(git, repository, extra, scope)
    except GitFailed as exc:
        raise Refused(504, "timeout", f"The changes cannot be told: {exc}") from exc
    known = _known(os.fsdecode(status))
    found = {parts: Found(was_there) for parts, was_there in _below(repository.prefix, known)}
    for parts in found:
        found[parts].lines = counts.get("/".join((*repository.prefix, *parts)))
    return changes_page(root, found, is_shown)


def changes_page(root: Root, found: Mapping[Parts, Found], is_shown: Shown) -> Json:
    """The list of the API; of very many rows the first ones. New lines are counted until that is too much."""
    wanted = [parts for parts in sorted(found) if is_shown(parts) and is_text("/".join(parts))]
    rows: list[Json] = []
    left = _MOST_COUNTED
    for parts in wanted[:MOST_ROWS]:
        one = found[parts]
        own = _stat(root, parts)
        if own is not None and one.lines is None and not one.was_there and own.st_size <= left:
            left -= own.st_size
            one.lines = Lines(_lines(root, parts), 0)
        if own is not None or one.was_there:
            rows.append(_row(parts, one, own))
    ends = {"first_id": rows[0]["path"] if rows else None, "last_id": rows[-1]["path"] if rows else None}
    return {"object": "list", "data": rows, **ends, "has_more": len(wanted) > MOST_ROWS}


def _row(parts: Parts, one: Found, found: os.stat_result | None) -> Json:
    count = one.lines
    is_file = found is not None and stat.S_ISREG(found.st_mode)
    path = shown(parts)
    return {
        "id": path,
        "object": ENTRY,
        "path": path,
        "name": text_of(parts[-1]),
        "status": "deleted" if found is None else "modified" if one.was_there else "created",
        "bytes": found.st_size if found is not None and is_file else None,
        "modified_at": int(found.st_mtime) if found is not None else None,
        "lines_added": count.added if count else None,
        "lines_removed": count.removed if count else None,
    }


def committed(git: Git, repository: Repository, parts: Parts) -> bytes | None:
    """What the last commit has at a path; None for nothing. Raises Refused."""
    if repository.head is None:
        return None
    path = "/".join((*repository.prefix, *parts))
    try:
        with repository.alone() as extra:
            told = git.output(repository.top, "ls-tree", "-z", repository.head, "--", path, extra=extra)
            facts, _, name = os.fsdecode(told).rstrip("\0").partition("\t")
            if name != path or " blob " not in facts:
                return None
            blob = facts.rpartition(" ")[2]
            return git.beginning(repository.top, "cat-file", "blob", blob, most=MOST_DIFFED, extra=extra)
    except GitFailed as exc:
        raise Refused(504, "timeout", f"The difference cannot be told: {exc}") from exc


def current(root: Root, parts: Parts, is_shown: Shown = everything) -> bytes | None:
    """What is at a path now: a file's content, or where a link leads; None for nothing. Raises Refused."""
    try:
        with root.place(parts, follow=False) as place:
            if not is_shown(place.real):
                return None
            own = place.stat()
            if stat.S_ISLNK(own.st_mode):
                return os.fsencode(os.readlink(place.name, dir_fd=place.directory))
            if stat.S_ISDIR(own.st_mode):
                return None
            descriptor, _ = opened_file(place, parts)
            try:
                return beginning_of(descriptor, MOST_DIFFED)
            finally:
                os.close(descriptor)
    except Refused as exc:
        if exc.status == 404:
            return None
        raise


def difference(parts: Parts, before: bytes | None, after: bytes | None) -> Json:
    """Both versions as text, None for one that does not exist; other bytes are replaced. Raises Refused."""
    if before == after:
        raise Refused(404, "not_found", f"Path '{shown(parts)}' has not changed")
    texts = (side if side is None else side.decode("utf-8", "replace") for side in (before, after))
    return {"object": DIFF, "path": shown(parts), **dict(zip(("before", "after"), texts, strict=True))}


def _known(status: str) -> dict[str, bool]:
    """Path to whether the last commit has it, of everything that `status` lists."""
    known: dict[str, bool] = {}
    for row in status.split("\0"):
        kind, _, rest = row.partition(" ")
        if kind == "1":
            fields = rest.split(" ", 7)
            path, was_there = fields[-1], fields[2] != _NOWHERE
        elif kind == "u":
            fields = rest.split(" ", 9)
            path, was_there = fields[-1], fields[3] != _NOWHERE
        elif kind == "?":
            path, was_there = rest.rstrip("/"), False
        else:
            continue
        known[path] = was_there or known.get(path, False)
    return known


def _below(prefix: Parts, known: Mapping[str, bool]) -> Iterator[tuple[Parts, bool]]:
    for path, was_there in known.items():
        parts = tuple(path.split("/"))
        if parts[: len(prefix)] == prefix and len(parts) > len(prefix) and ".." not in parts:
            yield parts[len(prefix) :], was_there


def _counts(
    git: Git, repository: Repository, extra: Mapping[str, str], scope: tuple[str, ...]
) -> dict[str, Lines]:
    """Lines added and removed by path; without them the list is still worth having."""
    try:
        told = git.output(
            repository.top, *repository.settings, *_COUNTS, repository.base, *scope, extra=extra
        )
    except GitFailed:
        return {}
    counts = {}
    for row in os.fsdecode(told).split("\0"):
        added, _, rest = row.partition("\t")
        removed, _, path = rest.partition("\t")
        if path:
            numbers = (int(number) if number.isdigit() else None for number in (added, removed))
            counts[path] = Lines(*numbers)
    return counts


def _stat(root: Root, parts: Parts) -> os.stat_result | None:
    """What is there, on a way without links."""
    try:
        descriptor = root.directory(parts[:-1])
    except OSError:
        return None
    try:
        return os.stat(parts[-1], dir_fd=descriptor, follow_symlinks=False)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _lines(root: Root, parts: Parts) -> int | None:
    """Of a new text file; None for others."""
    try:
        with root.place(parts, follow=False) as place:
            descriptor, _ = opened_file(place, parts)
            try:
                data = beginning_of(descriptor, _MOST_COUNTED)
            finally:
                os.close(descriptor)
    except Refused:
        return None
    if b"\x00" in data:
        return None
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))

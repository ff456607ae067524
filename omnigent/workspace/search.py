"""Search below a directory, by file name or by content."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from omnigent.workspace.entries import Json, entry, page
from omnigent.workspace.errors import Refused, invalid
from omnigent.workspace.names import Parts, shown, text_of
from omnigent.workspace.reading import beginning_of
from omnigent.workspace.root import Place, Root, opened_file
from omnigent.workspace.scanning import Bounds, Found, scanned

MOST_ROWS: Final = 500
MOST_SEARCHED: Final = 2 * 1024 * 1024
"""Of one file; a larger one is searched up to here."""
MOST_LINE: Final = 500
MATCH: Final = "session.environment.search_match"
_BINARY: Final = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """`include` and `exclude` are patterns for paths or names; letters match in both cases."""

    text: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int = 100
    in_content: bool = False

    def wants(self, path: str, name: str) -> bool:
        """Whether the patterns let a file through."""
        if any(_fits(pattern, path, name) for pattern in self.exclude):
            return False
        return not self.include or any(_fits(pattern, path, name) for pattern in self.include)


@dataclass(slots=True)
class _Rows:
    most: int
    rows: list[Json] = field(default_factory=list)
    is_full: bool = False

    def add(self, rows: Iterator[Json]) -> None:
        for row in rows:
            if len(self.rows) >= self.most:
                self.is_full = True
                return
            self.rows.append(row)


def query_of(text: str, include: str, exclude: str, limit: int, mode: str) -> Query:
    """`include` and `exclude` are separated by commas. Raises Refused."""
    if not text.strip():
        raise Refused(422, "invalid_input", "q must not be blank")
    if not 1 <= limit <= MOST_ROWS:
        raise invalid(f"limit must be between 1 and {MOST_ROWS}")
    if mode not in {"name", "content"}:
        raise invalid("mode must be name or content")
    return Query(
        text=text.strip() if mode == "name" else text,
        include=_patterns(include),
        exclude=_patterns(exclude),
        limit=limit,
        in_content=mode == "content",
    )


def found_in(root: Root, parts: Parts, query: Query, bounds: Bounds | None = None) -> Json:
    """Rows sorted by path, and whether there may be more. Raises Refused."""
    bounds = bounds or Bounds()
    with root.place(parts) as place:
        if not stat.S_ISDIR(place.stat().st_mode):
            raise invalid(f"Path '{shown(parts)}' is not a directory")
        start = place.real
        base = text_of(str(root.path.joinpath(*start)))
        found = _Rows(query.limit)
        for one in scanned(root, start, bounds):
            path, name = "/".join(one.parts), one.parts[-1]
            if not stat.S_ISDIR(one.stat.st_mode) and not query.wants(path, name):
                continue
            found.add(_lines(one, query) if query.in_content else _named(one, query))
            if found.is_full:
                break
    found.rows.sort(key=lambda row: (row["path"], row.get("line", 0)))
    is_cut = bounds.is_cut or found.is_full
    return page(found.rows, base, has_more=is_cut) | {"truncated": is_cut}


def _named(one: Found, query: Query) -> Iterator[Json]:
    """The entry, when its name fits; a query with a slash is looked for in the whole path."""
    if stat.S_ISDIR(one.stat.st_mode) and query.include:
        return
    wanted = query.text.casefold()
    subject = ("/".join(one.parts) if "/" in wanted else one.parts[-1]).casefold()
    if wanted in subject or (("*" in wanted or "?" in wanted) and fnmatch.fnmatchcase(subject, wanted)):
        yield entry(one.parts, one.stat)


def _lines(one: Found, query: Query) -> Iterator[Json]:
    """The lines of a text file that hold the text."""
    if not stat.S_ISREG(one.stat.st_mode):
        return
    try:
        descriptor, _ = opened_file(Place(one.directory, one.parts[-1], one.parts), one.parts)
    except (OSError, Refused):
        return
    try:
        data = beginning_of(descriptor, MOST_SEARCHED)
    except OSError:
        return
    finally:
        os.close(descriptor)
    if b"\x00" in data[:_BINARY]:
        return
    wanted, path = query.text.casefold(), shown(one.parts)
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        at = line.casefold().find(wanted)
        if at >= 0:
            text = _around(line.rstrip("\r"), at)
            yield {"id": f"{path}:{number}", "object": MATCH, "path": path, "line": number, "text": text}


def _around(line: str, at: int) -> str:
    """Of a long line the part that matters."""
    start = max(0, at - MOST_LINE // 2) if len(line) > MOST_LINE else 0
    return line[start : start + MOST_LINE]


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(pattern.strip().casefold() for pattern in text.split(",") if pattern.strip())


def _fits(pattern: str, path: str, name: str) -> bool:
    """A pattern without a slash is for the name, wherever it is; `**/` also stands for no directory."""
    if "/" not in pattern:
        return fnmatch.fnmatchcase(name.casefold(), pattern)
    path = path.casefold()
    shorter = pattern.removeprefix("**/")
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, shorter)

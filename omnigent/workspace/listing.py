"""A page of a directory, sorted by name, however large the directory is."""

import heapq
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from omnigent.workspace.entries import Json, entry_at, page
from omnigent.workspace.errors import Refused, invalid
from omnigent.workspace.names import Parts, is_text, shown, text_of
from omnigent.workspace.root import Root, scannable

MOST_ROWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Paging:
    """What of a list is wanted: cursors are ids of entries."""

    limit: int = 20
    after: str | None = None
    before: str | None = None
    is_descending: bool = True


def listed(root: Root, parts: Parts, paging: Paging) -> Json:
    """Entries whose names are no text are left out: nothing on the wire could name them. Raises Refused.

    With `after` those that come later, with `before` those that come earlier, still from the list's head.
    """
    with root.place(parts) as place:
        descriptor = scannable(place.directory, place.name)
        try:
            after, before = (_cursor(descriptor, parts, one) for one in (paging.after, paging.before))
            names = _between(descriptor, after, before, is_descending=paging.is_descending)
            choose = heapq.nlargest if paging.is_descending else heapq.nsmallest
            chosen = choose(paging.limit + 1, names)
            rows = []
            for name in chosen[: paging.limit]:
                with suppress(FileNotFoundError):
                    own = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    rows.append(entry_at(root, (*parts, name), own))
        finally:
            os.close(descriptor)
        base = text_of(str(root.path.joinpath(*place.real)))
    return page(rows, base, has_more=len(chosen) > paging.limit)


def _cursor(descriptor: int, parts: Parts, cursor: str | None) -> str | None:
    """The name that a cursor stands for. Raises Refused when there is no such entry any more."""
    if cursor is None:
        return None
    head, _, name = cursor.rpartition("/")
    if head == shown(parts) and name not in {"", ".", ".."} and "\x00" not in cursor:
        with suppress(OSError, UnicodeEncodeError):
            os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            return name
    words = f"pagination cursor '{cursor[:200]}' no longer exists; restart the enumeration without it"
    raise Refused(400, "stale_cursor", words)


def _between(descriptor: int, after: str | None, before: str | None, *, is_descending: bool) -> Iterator[str]:
    low, high = (before, after) if is_descending else (after, before)
    with os.scandir(descriptor) as entries:
        for found in entries:
            name = found.name
            if (low is None or name > low) and (high is None or name < high) and is_text(name):
                yield name


def paging_of(limit: int, after: str | None, before: str | None, order: str) -> Paging:
    """Raises Refused."""
    if not 1 <= limit <= MOST_ROWS:
        raise invalid(f"limit must be between 1 and {MOST_ROWS}")
    if order not in {"asc", "desc"}:
        raise invalid("order must be asc or desc")
    return Paging(limit=limit, after=after or None, before=before or None, is_descending=order == "desc")

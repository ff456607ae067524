"""A file or directory as the API shows it."""

import os
import stat
from typing import Any

from omnigent.workspace.errors import Refused
from omnigent.workspace.names import Parts, shown, text_of
from omnigent.workspace.root import Root

Json = dict[str, Any]
ENTRY = "session.environment.filesystem.entry"


def entry(parts: Parts, found: os.stat_result) -> Json:
    """What is neither file nor directory, such as a pipe or a link to nowhere, is a file without a size."""
    path = shown(parts)
    return {
        "id": path,
        "object": ENTRY,
        "name": text_of(parts[-1]) if parts else "",
        "path": path,
        "type": "directory" if stat.S_ISDIR(found.st_mode) else "file",
        "bytes": found.st_size if stat.S_ISREG(found.st_mode) else None,
        "modified_at": int(found.st_mtime),
    }


def entry_at(root: Root, parts: Parts, own: os.stat_result) -> Json:
    """The entry at a path: for a link what it leads to, if that is below the root."""
    if stat.S_ISLNK(own.st_mode):
        try:
            with root.place(parts) as place:
                own = place.stat()
        except Refused:
            pass
    return entry(parts, own)


def page(rows: list[Json], base: str, *, has_more: bool) -> Json:
    """Rows as a list of the API; `base` is the absolute directory that their paths count from."""
    ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
    return {"object": "list", "base": base, "data": rows, **ends, "has_more": has_more}

"""Takes files and directories away; a link is taken away itself, never what it leads to."""

import os
import stat
from typing import Final

from omnigent.workspace.entries import Json
from omnigent.workspace.errors import Refused, conflict, invalid, missing
from omnigent.workspace.names import Parts, shown
from omnigent.workspace.root import HERE, Root, scannable
from omnigent.workspace.writing import require_unprotected

DEEPEST: Final = 200
"""One descriptor is open for each level."""


def deleted(root: Root, parts: Parts, *, recursive: bool) -> Json:
    """Raises Refused; a directory that is not empty is refused without `recursive`."""
    if not parts:
        raise invalid("The environment's own directory cannot be deleted")
    require_unprotected(parts)
    with root.place(parts, follow=False) as place:
        require_unprotected(place.real)
        if place.name == HERE:
            raise missing(shown(parts))
        found = place.stat()
        is_directory = stat.S_ISDIR(found.st_mode)
        if is_directory:
            sizes = _cleared(place.directory, place.name, parts, recursive=recursive)
            os.rmdir(place.name, dir_fd=place.directory)
        else:
            sizes = []
            os.unlink(place.name, dir_fd=place.directory)
        return {
            "object": "session.environment.filesystem.delete_result",
            "operation": "delete",
            "path": shown(parts),
            "deleted": True,
            "type": "directory" if is_directory else "file",
            "bytes_deleted": sum(sizes) + (0 if is_directory else found.st_size),
            "entries_deleted": len(sizes) + 1,
        }


def _cleared(directory: int, name: str, parts: Parts, *, recursive: bool, depth: int = 1) -> list[int]:
    """Empty a directory; the sizes of what was in it, 0 for directories. Raises Refused, OSError."""
    if depth > DEEPEST:
        raise conflict(f"Path '{shown(parts)}' has more than {DEEPEST} levels")
    descriptor = scannable(directory, name)
    try:
        # A listing that is read while its directory changes may skip entries.
        with os.scandir(descriptor) as entries:
            names = [found.name for found in entries]
        if names and not recursive:
            raise Refused(409, "conflict", f"Directory '{shown(parts)}' is not empty", has_detail=True)
        sizes: list[int] = []
        for inner in names:
            found = os.stat(inner, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                sizes += _cleared(descriptor, inner, parts, recursive=True, depth=depth + 1)
                os.rmdir(inner, dir_fd=descriptor)
                sizes.append(0)
            else:
                os.unlink(inner, dir_fd=descriptor)
                sizes.append(found.st_size)
        return sizes
    finally:
        os.close(descriptor)

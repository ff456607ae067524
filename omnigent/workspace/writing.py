"""Changes of files: each is seen as a whole or not at all, and is confined to the root."""

import base64
import binascii
import errno
import os
import secrets
import stat
from contextlib import suppress
from typing import Final

from omnigent.workspace.entries import Json, entry
from omnigent.workspace.errors import Refused, conflict, invalid, refused
from omnigent.workspace.names import Parts, is_of_repository, shown
from omnigent.workspace.reading import beginning_of
from omnigent.workspace.root import HERE, Place, Root, opened_file

MOST_WRITTEN: Final = 64 * 1024 * 1024
MOST_EDITED: Final = 16 * 1024 * 1024
# A file that is writable alone cannot be swapped: its directory is read-only, or it is mounted itself.
_IN_PLACE: Final = frozenset({errno.EROFS, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EXDEV})
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OVER: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def bytes_of(content: str, encoding: str) -> bytes:
    """What a body wants written. Raises Refused."""
    if encoding == "utf-8":
        try:
            data = content.encode()
        except UnicodeEncodeError:
            raise invalid("content is not valid text") from None
    elif encoding == "base64":
        try:
            data = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise invalid("content is not valid base64") from None
    else:
        raise invalid("encoding must be utf-8 or base64")
    if len(data) > MOST_WRITTEN:
        raise Refused(413, "payload_too_large", f"content has more than {MOST_WRITTEN} bytes")
    return data


def written(root: Root, parts: Parts, data: bytes, *, create_parents: bool) -> Json:
    """Put a whole file in its place. Raises Refused."""
    require_unprotected(parts)
    if create_parents:
        _make_directories(root, parts)
    with root.place(parts) as place:
        before = _replaceable(place, parts)
        _replace(place, before, data)
        return {
            "object": "session.environment.filesystem.write_result",
            "operation": "write",
            "path": shown(parts),
            "created": before is None,
            "bytes_written": len(data),
            "entry": entry(parts, place.stat()),
        }


def edited(root: Root, parts: Parts, old: str, new: str, *, replace_all: bool) -> Json:
    """Replace the first place where a text occurs, or all of them. Raises Refused."""
    require_unprotected(parts)
    if not old:
        raise invalid("old_text must not be empty")
    with root.place(parts) as place:
        before = _replaceable(place, parts)
        text = _text(place, parts)
        count = text.count(old) if replace_all else int(old in text)
        if not count:
            raise Refused(404, "not_found", f"The text to replace does not occur in '{shown(parts)}'")
        data = bytes_of(text.replace(old, new, count), "utf-8")
        if before is None or _changed(before, place.stat()):
            raise conflict(f"Path '{shown(parts)}' changed while it was edited")
        _replace(place, before, data)
        return {
            "object": "session.environment.filesystem.edit_result",
            "operation": "edit",
            "path": shown(parts),
            "replacements": count,
            "bytes_before": None,
            "bytes_after": len(data),
            "entry": entry(parts, place.stat()),
        }


def require_unprotected(parts: Parts) -> None:
    """Raises Refused for a repository's own directory: git runs the hooks and the programs that are named
    there, as whoever calls it next and outside of any sandbox.
    """
    if is_of_repository(parts):
        raise Refused(403, "forbidden", f"Path '{shown(parts)}' belongs to git and is not changed here")


def _text(place: Place, parts: Parts) -> str:
    descriptor, found = opened_file(place, parts)
    try:
        if found.st_size > MOST_EDITED:
            raise invalid(f"Path '{shown(parts)}' is too large to edit")
        return beginning_of(descriptor, MOST_EDITED + 1).decode()
    except UnicodeDecodeError:
        raise invalid(f"Path '{shown(parts)}' is not UTF-8 text") from None
    finally:
        os.close(descriptor)


def _make_directories(root: Root, parts: Parts) -> None:
    """Each missing directory above a path, one at a time: the way to the next is walked anew."""
    for depth in range(1, len(parts)):
        with root.place(parts[:depth]) as place:
            if place.name == HERE:
                continue
            require_unprotected(place.real)
            with suppress(FileExistsError):
                os.mkdir(place.name, dir_fd=place.directory)


def _replaceable(place: Place, parts: Parts) -> os.stat_result | None:
    """The regular file that is there, None for nothing. Raises Refused for anything else."""
    require_unprotected(place.real)
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise conflict(f"Path '{shown(parts)}' is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise conflict(f"Path '{shown(parts)}' is not a regular file")
    return found


def _changed(before: os.stat_result, now: os.stat_result) -> bool:
    return (before.st_ino, before.st_size, before.st_mtime_ns) != (now.st_ino, now.st_size, now.st_mtime_ns)


def _replace(place: Place, before: os.stat_result | None, data: bytes) -> None:
    """Swap the content in one step, keeping the mode, so that nobody sees half a file. Raises OSError."""
    temporary = f".{secrets.token_hex(8)}.partial"
    try:
        descriptor = os.open(temporary, _NEW, 0o666, dir_fd=place.directory)
    except OSError as exc:
        if before is None or exc.errno not in _IN_PLACE:
            raise
        _overwrite(place, data)
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if before is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode) & 0o777)
        os.replace(temporary, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
    except BaseException as exc:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=place.directory)
        if before is None or not isinstance(exc, OSError) or exc.errno not in _IN_PLACE:
            raise
        _overwrite(place, data)


def _overwrite(place: Place, data: bytes) -> None:
    """Write into the file that is there. Raises Refused, OSError."""
    with os.fdopen(os.open(place.name, _OVER, dir_fd=place.directory), "wb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise refused(OSError(errno.ELOOP, ""), place.name)
        file.truncate(0)
        file.write(data)

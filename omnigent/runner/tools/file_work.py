"""Reads, writes and edits one file; also as a process of its own, which a sandbox confines.

Run as a script with the standard library only: a request is one JSON object on standard input, the answer
one on standard output.
"""

import base64
import errno
import json
import os
import secrets
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

READ_CAP = 256 * 1024
EDIT_CAP = 16 * 1024 * 1024
DEFAULT_LINES = 2000
# A file that is writable alone cannot be swapped: its directory is read-only, or it is mounted itself.
IN_PLACE = frozenset({errno.EROFS, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EXDEV})
READ_ONLY = "; the agent's sandbox lets its tools write to its write_paths only"


class Fault(Exception):
    """The work cannot be done; the message is for the model."""


def work_on(path: Path, shown: str, request: Mapping[str, Any]) -> str:
    """Do what the request says with a file, which is called `shown` in words. Raises Fault."""
    try:
        return WORK[request["do"]](path, shown, request)
    except OSError as exc:
        hint = READ_ONLY if exc.errno == errno.EROFS else ""
        raise Fault(f"{exc.strerror or exc}: {request['path']}{hint}") from exc


def read(path: Path, shown: str, request: Mapping[str, Any]) -> str:
    """Lines of a text file, or the names in a directory."""
    if path.is_dir():
        names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
        return "\n".join(names[:DEFAULT_LINES]) + "\n"
    with opened(path, shown) as file:
        if b"\x00" in file.read(8192):
            return f"[{shown} is a binary file of {os.fstat(file.fileno()).st_size} bytes]\n"
        file.seek(0)
        return lines(file, request["first"], request["limit"])


def opened(path: Path, shown: str) -> BinaryIO:
    """A regular file for reading; others are refused without waiting for them."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Fault(f"{shown} is not a regular file")
    return file


def lines(file: BinaryIO, first: int, limit: int) -> str:
    """Lines `first` to `first + limit - 1` of a binary file, cut at the cap, with a note about the rest."""
    taken: list[bytes] = []
    size = 0
    number = 0
    while raw := file.readline(READ_CAP):
        number += 1
        if number < first:
            continue
        if number >= first + limit or size + len(raw) > READ_CAP:
            text = b"".join(taken).decode("utf-8", "replace")
            return f"{text}\n[cut here; go on with offset {number}]\n"
        taken.append(raw)
        size += len(raw)
    return b"".join(taken).decode("utf-8", "replace")


def write(path: Path, shown: str, request: Mapping[str, Any]) -> str:
    """Replace a file as a whole."""
    data = request["content"].encode("utf-8", "replace")
    created = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, data)
    return f"{'Created' if created else 'Wrote'} {shown}, {len(data)} bytes.\n"


def edit(path: Path, shown: str, request: Mapping[str, Any]) -> str:
    """Replace passages that occur exactly once: pairs of old and new text, all or none."""
    with opened(path, shown) as file:
        if os.fstat(file.fileno()).st_size > EDIT_CAP:
            raise Fault(f"{shown} is too large to edit")
        data = file.read(EDIT_CAP + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Fault(f"{shown} is not UTF-8 text") from None
    edits = request["edits"]
    for old, new in edits:
        count = text.count(old) if old else 0
        if count != 1:
            raise Fault(f"oldText occurs {count} times in {shown}; it must occur exactly once")
        text = text.replace(old, new)
    replace(path, text.encode("utf-8", "replace"))
    return f"Edited {shown}, {len(edits)} replacement{'s' * (len(edits) != 1)}.\n"


def replace(path: Path, data: bytes) -> None:
    """Swap the content in one step, keeping the mode, so that nobody sees half a file."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(6)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as exc:
        if mode is None or exc.errno not in IN_PLACE:
            raise
        overwrite(path, data)
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        if mode is None or exc.errno not in IN_PLACE:
            raise
        overwrite(path, data)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def overwrite(path: Path, data: bytes) -> None:
    """Write into the file that is there."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC), "wb") as file:
        file.write(data)


def fetch(path: Path, shown: str, request: Mapping[str, Any]) -> str:
    """All bytes of a file, in base64."""
    with opened(path, shown) as file:
        data = file.read(request["most"] + 1)
    if len(data) > request["most"]:
        raise Fault(f"{shown} is larger than {request['most']} bytes, the most that may leave a sandbox")
    return base64.b64encode(data).decode()


def put(path: Path, shown: str, request: Mapping[str, Any]) -> str:
    """Replace a file by bytes in base64; the path as people write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, base64.b64decode(request["data"]))
    return shown


WORK: dict[str, Callable[[Path, str, Mapping[str, Any]], str]] = {
    "read": read,
    "write": write,
    "edit": edit,
    "fetch": fetch,
    "put": put,
}


def main() -> None:
    """Answer the request on standard input; paths are relative to the working directory."""
    request = json.load(sys.stdin)
    root = Path.cwd()
    try:
        path = (root / Path(request["path"]).expanduser()).resolve()
        shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        answer = {"output": work_on(path, shown, request)}
    except Fault as exc:
        answer = {"error": str(exc)}
    except (OSError, RuntimeError, ValueError) as exc:
        answer = {"error": f"{exc}: {request['path']}"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

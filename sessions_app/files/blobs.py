"""The bytes of files in Django's storage, once per content under their SHA-256. Rows decide what may go."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage, default_storage

ROOT = "files"
INCOMING = f"{ROOT}/incoming"


def blob_name(digest: str) -> str:
    """Where the bytes with this digest lie."""
    return f"{ROOT}/{digest[:2]}/{digest}"


def incoming(storage: Storage = default_storage) -> Path:
    """The directory of uploads that are not stored yet: the storage's own, from where moving is atomic."""
    try:
        directory = Path(storage.path(INCOMING))
    except NotImplementedError:
        return Path(tempfile.gettempdir())
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


class Movable(File):  # type: ignore[type-arg]  # generic in the stubs only
    """A finished file that a storage on the same disk moves instead of copying it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("rb"), name=path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        """What Django's storage asks for when it can move."""
        return str(self._path)


def keep(digest: str, size: int, path: Path, storage: Storage = default_storage) -> None:
    """Store the bytes of a file. The file stays; complete bytes that are there already are left alone."""
    if is_complete(digest, size, storage):
        return
    name = blob_name(digest)
    storage.delete(name)
    twin = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    try:
        os.link(path, twin)
    except OSError:
        shutil.copyfile(path, twin)
    try:
        with Movable(twin) as content:
            stored_as = storage.save(name, content)
    finally:
        twin.unlink(missing_ok=True)
    if stored_as != name:
        # Somebody else stored the same content in between.
        storage.delete(stored_as)


def is_complete(digest: str, size: int, storage: Storage = default_storage) -> bool:
    """Whether the bytes are there, all of them."""
    try:
        return storage.size(blob_name(digest)) == size
    except FileNotFoundError:
        return False


def open_blob(digest: str, storage: Storage = default_storage) -> Any:  # a Django file, untyped in the stubs
    """The bytes for reading. Raises FileNotFoundError."""
    return storage.open(blob_name(digest))


def read(digest: str) -> bytes:
    """All the bytes. Raises FileNotFoundError."""
    with open_blob(digest) as file:
        return bytes(file.read())


def discard(digest: str, storage: Storage = default_storage) -> None:
    """Delete the bytes; nothing happens without them. Only for who holds the lock of their row."""
    storage.delete(blob_name(digest))


def older_than(moment: datetime, storage: Storage = default_storage) -> Iterator[list[str]]:
    """The digests of bytes that were stored before a moment, directory by directory."""
    for directory in _directories(storage):
        names = storage.listdir(f"{ROOT}/{directory}")[1]
        if found := [name for name in names if _is_older(f"{ROOT}/{directory}/{name}", moment, storage)]:
            yield found


def _directories(storage: Storage) -> list[str]:
    try:
        return [name for name in storage.listdir(ROOT)[0] if len(name) == 2]
    except FileNotFoundError:
        return []


def _is_older(name: str, moment: datetime, storage: Storage) -> bool:
    try:
        return storage.get_modified_time(name) < moment
    except FileNotFoundError:
        return False


def clear_incoming(moment: datetime, storage: Storage = default_storage) -> None:
    """Delete what uploads that ended with their process have left."""
    try:
        names = storage.listdir(INCOMING)[1]
    except (FileNotFoundError, NotImplementedError):
        return
    for name in names:
        if _is_older(f"{INCOMING}/{name}", moment, storage):
            storage.delete(f"{INCOMING}/{name}")

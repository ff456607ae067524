"""From untrusted bytes to members on disk that are what their manifest says: no names, links or sizes of the
archive's own choosing.
"""

import gzip
import hashlib
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import orjson
from pydantic import ValidationError

from sessions_app.portable import layout
from sessions_app.portable.documents import Manifest, words
from sessions_app.portable.layout import FORMAT, MANIFEST, VERSION, InvalidArchive

BLOCK = tarfile.BLOCKSIZE
PIECE = 256 * 1024
NO_ARCHIVE = "it is cut short, damaged or not a gzipped tar"


class Source(Protocol):
    """Something to read bytes from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """An unpacked member: `path` for one that is to be stored, else its place in the contents file."""

    size: int
    sha256: str
    offset: int = 0
    path: Path | None = None


class Unpacked:
    """The members of an archive on disk, until `close`."""

    def __init__(self, *, contents: IO[bytes], parts: dict[str, Part], manifest: Manifest) -> None:
        self.parts = parts
        self.manifest = manifest
        self._contents = contents

    def chunks(self, kind: str) -> Iterator[str]:
        """The members that hold lines of this kind, in order. Raises InvalidArchive when one is missing."""
        count = sum(1 for name in self.parts if name.startswith(f"{kind}/"))
        for number in range(1, count + 1):
            name = layout.chunk_name(kind, number)
            if name not in self.parts:
                raise InvalidArchive(f"{name} is missing")
            yield name

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a member, each with its end."""
        part = self.parts[name]
        left, place = part.size, part.offset
        while left:
            self._contents.seek(place)
            found = self._contents.readline(min(left, layout.MAX_LINE + 1))
            place, left = place + len(found), left - len(found)
            yield found

    def read(self, name: str) -> bytes:
        """A whole member, which should be a small one."""
        part = self.parts[name]
        self._contents.seek(part.offset)
        return self._contents.read(part.size)

    def close(self) -> None:
        """Delete everything."""
        self._contents.close()
        for part in self.parts.values():
            if part.path is not None:
                part.path.unlink(missing_ok=True)


def unpack(archive: IO[bytes], directory: Path, *, limit: int) -> Unpacked:
    """Unpack an archive of at most `limit` bytes of content; files' bytes go to `directory`.

    Raises InvalidArchive; then nothing is left of it.
    """
    with ExitStack() as undo:
        contents = undo.enter_context(tempfile.TemporaryFile())
        parts: dict[str, Part] = {}
        undo.callback(_delete, parts)
        source = _Bounded(archive, limit)
        for name, size in _headers(source):
            if name in parts:
                raise InvalidArchive(f"{name} is there twice")
            if len(parts) >= layout.MAX_MEMBERS:
                raise InvalidArchive(f"it has more than {layout.MAX_MEMBERS} members")
            parts[name] = _kept(source, name, size, contents, directory)
            source.skip(-size % BLOCK)
        contents.flush()
        unpacked = Unpacked(contents=contents, parts=parts, manifest=_manifest(contents, parts))
        _compare(unpacked)
        undo.pop_all()
        return unpacked


def _delete(parts: dict[str, Part]) -> None:
    for part in parts.values():
        if part.path is not None:
            part.path.unlink(missing_ok=True)


class _Bounded:
    """The tar bytes of a gzipped archive, which may not grow past a limit."""

    def __init__(self, archive: IO[bytes], limit: int) -> None:
        self._source = gzip.GzipFile(fileobj=archive, mode="rb")
        self._limit = limit
        self._produced = 0

    def read(self, size: int, /) -> bytes:
        """Exactly so many bytes, or fewer at the end."""
        try:
            data = self._source.read(size)
        except (OSError, EOFError, zlib.error):
            raise InvalidArchive(NO_ARCHIVE) from None
        self._produced += len(data)
        if self._produced > self._limit:
            raise InvalidArchive(f"it unpacks to more than {self._limit} bytes")
        return data

    def skip(self, size: int) -> None:
        if len(self.read(size)) != size:
            raise InvalidArchive(NO_ARCHIVE)


def _headers(source: Source) -> Iterator[tuple[str, int]]:
    """Name and size of each member, up to a proper end of the archive.

    Only plain headers are read: extended ones could bring names and sizes that nobody has looked at.
    """
    while any(block := source.read(BLOCK)):
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError):
            raise InvalidArchive(NO_ARCHIVE) from None
        name = header.name
        if not layout.is_member(name):
            raise InvalidArchive(f"{name[:100]!r} is no member that an archive of version {VERSION} has")
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or header.size < 0:
            raise InvalidArchive(f"{name} is no plain file")
        yield name, header.size
    if len(block) != BLOCK:
        raise InvalidArchive(NO_ARCHIVE)
    while block := source.read(PIECE):
        if any(block):
            raise InvalidArchive("something stands after its end")


def _kept(source: Source, name: str, size: int, contents: IO[bytes], directory: Path) -> Part:
    if not layout.is_blob(name):
        offset = contents.tell()
        return Part(size=size, sha256=_copied(source, name, size, contents), offset=offset)
    descriptor, text = tempfile.mkstemp(dir=directory)
    path = Path(text)
    try:
        with os.fdopen(descriptor, "wb") as target:
            return Part(size=size, sha256=_copied(source, name, size, target), path=path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _copied(source: Source, name: str, size: int, target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while size:
        data = source.read(min(size, PIECE))
        if not data:
            raise InvalidArchive(f"{name} is cut short")
        digest.update(data)
        target.write(data)
        size -= len(data)
    return digest.hexdigest()


def _manifest(contents: IO[bytes], parts: dict[str, Part]) -> Manifest:
    part = parts.get(MANIFEST)
    if part is None:
        raise InvalidArchive(f"{MANIFEST} is missing")
    if part.size > layout.MAX_MANIFEST:
        raise InvalidArchive(f"{MANIFEST} has more than {layout.MAX_MANIFEST} bytes")
    contents.seek(part.offset)
    try:
        value = orjson.loads(contents.read(part.size))
    except orjson.JSONDecodeError as error:
        raise InvalidArchive(f"{MANIFEST}: {error.msg} at character {error.pos}") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InvalidArchive(f"{MANIFEST}: format must be {FORMAT!r}")
    if value.get("version") != VERSION or isinstance(value.get("version"), bool):
        shown = repr(value.get("version"))[:20]
        raise InvalidArchive(f"{MANIFEST}: version {shown} is not known; this server reads version {VERSION}")
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        raise InvalidArchive(f"{MANIFEST}: {words(error)}") from None


def _compare(unpacked: Unpacked) -> None:
    """Raise unless members and manifest tell the same."""
    listed = {member.name: member for member in unpacked.manifest.members}
    if len(listed) != len(unpacked.manifest.members):
        raise InvalidArchive(f"{MANIFEST}: members: one is listed twice")
    for name, part in unpacked.parts.items():
        if name == MANIFEST:
            continue
        member = listed.pop(name, None)
        if member is None:
            raise InvalidArchive(f"{name} is not listed in {MANIFEST}")
        if (part.size, part.sha256) != (member.size, member.sha256):
            raise InvalidArchive(f"{name} is not what {MANIFEST} says of it: its size or SHA-256 differs")
        if layout.is_blob(name) and name != layout.blob_member(part.sha256):
            raise InvalidArchive(f"{name} is not named after its SHA-256")
    if listed:
        raise InvalidArchive(f"{next(iter(listed))[:100]!r} is listed in {MANIFEST} and missing")

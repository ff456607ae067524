"""Writing an archive piece by piece: a gzipped tar whose bytes depend on its content alone."""

import hashlib
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from sessions_app.portable.layout import FORMAT, MANIFEST, VERSION, Member

GZIP = 31
LEVEL = 6
BLOCK = tarfile.BLOCKSIZE


class Packer:
    """Each method gives the bytes that the archive goes on with; none at all is usual.

    Members go in whole, or by `begin` with the size of what follows, `feed` and `end`.
    """

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._compress = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._name = ""
        self._size = 0
        self._left = 0
        self._hash = hashlib.sha256()

    def add(self, name: str, data: bytes) -> bytes:
        """A whole member."""
        return self.begin(name, len(data)) + self.feed(data) + self.end()

    def begin(self, name: str, size: int) -> bytes:
        """The start of a member of `size` bytes."""
        header = tarfile.TarInfo(name)
        header.size = size
        header.mode = 0o644
        self._name, self._size, self._left = name, size, size
        self._hash = hashlib.sha256()
        return self._compress.compress(header.tobuf(format=tarfile.USTAR_FORMAT))

    def feed(self, data: bytes) -> bytes:
        """More of a member. Raises ValueError for more than was announced."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"{self._name} is longer than its {self._size} bytes")
        self._hash.update(data)
        return self._compress.compress(data)

    def end(self) -> bytes:
        """The end of a member. Raises ValueError for less than was announced."""
        if self._left:
            raise ValueError(f"{self._name} is shorter than its {self._size} bytes")
        self.members.append(Member(name=self._name, size=self._size, sha256=self._hash.hexdigest()))
        return self._compress.compress(bytes(-self._size % BLOCK))

    def finish(self, facts: Mapping[str, Any]) -> bytes:
        """The manifest with these facts in it, and the end of the archive."""
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            **facts,
            "members": self.listed(),
        }
        data = self.add(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        return data + self._compress.compress(bytes(2 * BLOCK)) + self._compress.flush()

    def listed(self) -> Sequence[Mapping[str, Any]]:
        """The members so far, as the manifest lists them."""
        return [
            {"name": member.name, "bytes": member.size, "sha256": member.sha256} for member in self.members
        ]

"""The bytes inside a plain, gzip, bzip2 or xz file, bounded while they appear."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from omnigent.spec.errors import BundleError

RATIO_FLOOR = 10 * 1024 * 1024
# What `xz -9` needs; a header may ask for gigabytes.
XZ_MEMORY = 100 * 1024 * 1024
# Block compressors write one for every 64 KiB; without a bound, empty ones keep a reader busy for minutes.
MAX_MEMBERS = 10_000

_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_PIECE = 64 * 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Bounded:
    """The content of a possibly compressed file, refusing to pass `total` bytes or `ratio` times its size."""

    def __init__(self, data: bytes, *, total: int, ratio: int) -> None:
        self._source = _opened(data)
        self._total = total
        self._by_ratio = max(RATIO_FLOOR, ratio * len(data))
        self._produced = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end. Raises BundleError, also when a checksum is wrong."""
        try:
            chunk = self._source.read(size)
        except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError("the archive is damaged or not a tar archive") from error
        self._produced += len(chunk)
        if self._produced > self._total:
            raise BundleError("it unpacks to too many bytes")
        if self._produced > self._by_ratio:
            raise BundleError("it is compressed suspiciously well")
        return chunk


class _Members:
    """Compressed members one after the other, as parallel compressors write them; zeros may follow."""

    def __init__(self, data: bytes, make: Callable[[], _Decompressor]) -> None:
        self._data = data
        self._make = make
        self._position = 0
        self._members = 1
        self._current = make()

    def read(self, size: int, /) -> bytes:
        while not self._current.eof or self._next_member():
            piece = b""
            if self._current.needs_input:
                piece = self._data[self._position : self._position + _PIECE]
                if not piece:
                    raise EOFError
                self._position += len(piece)
            chunk = self._current.decompress(piece, size)
            if self._current.eof:
                self._position -= len(self._current.unused_data)
            if chunk:
                return chunk
        return b""

    def _next_member(self) -> bool:
        while self._data[self._position : self._position + 1] == b"\0":
            self._position += 1
        if self._position >= len(self._data):
            return False
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise BundleError("it is compressed in too many pieces")
        self._current = self._make()
        return True


class _Gunzip:
    """zlib's decompressor with the manners of the other two."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _opened(data: bytes) -> _Readable:
    if data.startswith(_GZIP):
        return _Members(data, _Gunzip)
    if data.startswith(_BZIP2):
        return _Members(data, bz2.BZ2Decompressor)
    if data.startswith(_XZ):
        return _Members(data, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY))
    return io.BytesIO(data)

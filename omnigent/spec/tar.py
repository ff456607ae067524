"""The tar format, read forwards and strictly: what is not plainly a file or a directory is refused.

Covers ustar, pax (POSIX.1-2001) and GNU long names. The standard library's reader is not used because it
takes a damaged header for the end of the archive, and spends seconds on extended headers made to slow it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from omnigent.spec.errors import BundleError

BLOCK = 512
# Longer than any path that may be stored, shorter than anything that could exhaust memory.
MAX_EXTENDED_HEADER = 64 * 1024
MAX_EXTENDED_PER_ENTRY = 8

_CHUNK = 1024 * 1024
_FILES, _DIRECTORY = frozenset([b"0", b"\0", b"7"]), b"5"
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_EXTENDED = frozenset([_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK])
_DAMAGED = "the archive is damaged or not a tar archive"


class Source(Protocol):
    """Where the bytes come from; `read` answers with fewer than asked only at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A header as it was read. `size` is that of a file's content, which follows it."""

    name: str
    size: int
    is_directory: bool
    is_file: bool


class Archive:
    """One pass over an archive: after each entry that is a file, `content` must be called once."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def entries(self) -> Iterator[Entry]:
        """Every entry, in order, up to the end mark, behind which nothing but padding may stand."""
        while (header := self._header()) is not None:
            yield self._entry(header)
        while block := self._source.read(_CHUNK):
            if block.strip(b"\0"):
                raise BundleError("the archive has something behind its end")

    def content(self, entry: Entry) -> bytes:
        """The bytes of a file."""
        data = self._exactly(entry.size)
        self._exactly(-entry.size % BLOCK)
        return data

    def _entry(self, header: bytes) -> Entry:
        pax: dict[str, str] = {}
        long_name: str | None = None
        extended = 0
        while (kind := header[156:157]) in _EXTENDED:
            extended += 1
            size = _number(header[124:136])
            if size > MAX_EXTENDED_HEADER or extended > MAX_EXTENDED_PER_ENTRY:
                raise BundleError("the archive has an extended header that is too long")
            data = self._exactly(size)
            self._exactly(-size % BLOCK)
            if kind == _LONG_NAME:
                long_name = _text(data.rstrip(b"\0"))
            elif kind == _PAX:
                pax = _records(data)
            following = self._header()
            if following is None:
                raise BundleError(_DAMAGED)
            header = following
        size = _digits(pax["size"]) if "size" in pax else _number(header[124:136])
        name = pax.get("path") or long_name or _name(header)
        is_directory = kind == _DIRECTORY or (kind == b"\0" and name.endswith("/"))
        # A sparse file announces itself among the records, and its content is not what is stored.
        is_file = kind in _FILES and not is_directory and not any(key.startswith("GNU.sparse") for key in pax)
        return Entry(name=name, size=size, is_directory=is_directory, is_file=is_file)

    def _header(self) -> bytes | None:
        header = self._exactly(BLOCK)
        if header.count(0) == BLOCK:
            return None
        # The sum is over the header with blanks in the place of the sum itself.
        if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
            raise BundleError(_DAMAGED)
        return header

    def _exactly(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size > 0:
            # An announced size is only believed as far as bytes come.
            piece = self._source.read(min(size, _CHUNK))
            if not piece:
                raise BundleError("the archive is cut short")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def _name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    # Only POSIX archives have a prefix; GNU ones keep times in its place.
    prefix = _text(header[345:500].partition(b"\0")[0]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _number(field: bytes) -> int:
    """Octal digits or, with the first bit set, binary; sizes are never negative."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        value = int(field.partition(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        raise BundleError(_DAMAGED) from None
    if value < 0:
        raise BundleError(_DAMAGED)
    return value


def _records(data: bytes) -> dict[str, str]:
    """The pairs of a pax header, each written as `<length> <key>=<value>` and a newline."""
    records: dict[str, str] = {}
    position = 0
    while position < len(data):
        length, blank, _ = data[position : position + 20].partition(b" ")
        end = position + _digits(_text(length))
        record = data[position + len(length) + 1 : end]
        key, equals, value = record[:-1].partition(b"=")
        if not blank or not equals or not record.endswith(b"\n") or end > len(data):
            raise BundleError(_DAMAGED)
        records[_text(key)] = _text(value) if key in {b"path", b"size"} else ""
        position = end
    return records


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise BundleError(_DAMAGED)
    return int(text)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BundleError("the archive has a path that is not UTF-8") from None

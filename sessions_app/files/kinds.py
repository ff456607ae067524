"""Which types of files a session takes, how large each may be, and how a type is told from name and bytes."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

from omnigent.errors import ErrorCode, OmnigentError

MIB = 1024 * 1024
HEAD = 4096
"""So many bytes from the start decide the type; a whole file may have fewer."""

PDF = "application/pdf"
SVG = "image/svg+xml"
PLAIN = "text/plain"
UTF_8 = "; charset=utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One type of file. `limit` counts bytes as they are sent; `pillow` names the format of images that are
    shrunk before they are stored.
    """

    media_type: str
    limit: int
    pillow: str = ""
    is_text: bool = False


def _kinds() -> Mapping[str, Kind]:
    table = {
        name: Kind(media_type=f"image/{pillow.lower()}", limit=50 * MIB, pillow=pillow)
        for names, pillow in (("png", "PNG"), ("jpg jpeg jfif", "JPEG"), ("webp", "WEBP"), ("gif", "GIF"))
        for name in names.split()
    }
    for names, media_type in (
        ("bmp", "image/bmp"),
        ("tif tiff", "image/tiff"),
        ("ico", "image/x-icon"),
        ("avif", "image/avif"),
        ("heic heif", "image/heic"),
        ("svg", SVG),
    ):
        for name in names.split():
            table[name] = Kind(media_type=media_type, limit=5 * MIB, is_text=media_type == SVG)
    table["pdf"] = Kind(media_type=PDF, limit=20 * MIB)
    for names, media_type in (
        ("md markdown", "text/markdown"),
        ("csv", "text/csv"),
        ("tsv", "text/tab-separated-values"),
        ("htm html", "text/html"),
        ("xml", "application/xml"),
        ("json", "application/json"),
        ("yaml yml", "application/yaml"),
        ("css", "text/css"),
        ("js mjs", "text/javascript"),
        ("py", "text/x-python"),
    ):
        for name in names.split():
            table[name] = Kind(media_type=media_type, limit=10 * MIB, is_text=True)
    return MappingProxyType(table)


BY_EXTENSION: Mapping[str, Kind] = _kinds()
"""The types that a name tells; any other name is taken for plain text."""

TEXT = Kind(media_type=PLAIN, limit=10 * MIB, is_text=True)
LARGEST = max(kind.limit for kind in BY_EXTENSION.values())

_ACTIVE = frozenset(
    {"text/html", "text/css", "text/javascript", "text/xml", "application/xml", "application/xhtml+xml", SVG}
)
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\0\0\1\0", "ico"),
)
_BRANDS: tuple[tuple[bytes, str], ...] = (
    (b"avif", "avif"),
    (b"avis", "avif"),
    *((brand, "heic") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")),
)


def sniff(head: bytes) -> Kind | None:
    """The type that the first bytes tell; None for text and for everything that we do not know."""
    for start, extension in _STARTS:
        if head.startswith(start):
            return BY_EXTENSION[extension]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return BY_EXTENSION["webp"]
    if head[4:8] == b"ftyp":
        # The general brand mif1 may come first and the one that says more among the compatible ones.
        brands = [head[place : place + 4] for place in range(8, min(len(head), head[3], 64), 4)]
        return next((BY_EXTENSION[kind] for brand, kind in _BRANDS if brand in brands), None)
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return BY_EXTENSION["bmp"]
    return None


def extension_of(filename: str) -> str:
    """What stands after the last dot, in lower case; a name that only begins with a dot has none."""
    root, dot, extension = filename.rpartition(".")
    return extension.lower() if dot and root else ""


def decide(filename: str, head: bytes) -> Kind:
    """The type of a file with this name and beginning. Raises 415 when the two do not agree.

    Text is only known when all of it was read, see `TextCheck`.
    """
    extension = extension_of(filename)
    found = sniff(head)
    if not extension:
        return found or TEXT
    named = BY_EXTENSION.get(extension, TEXT)
    if named.media_type == PDF and b"%PDF-" in head[:1024]:
        return named
    if named.media_type == SVG and b"<svg" not in head.lower():
        mislabelled(extension)
    if not named.is_text and found is not named and (found or TEXT).media_type != named.media_type:
        mislabelled(extension)
    if named.is_text and found is not None and not _is_text(head):
        mislabelled(extension)
    return named


def _is_text(head: bytes) -> bool:
    try:
        TextCheck().feed(head)
    except OmnigentError:
        return False
    return True


class TextCheck:
    """Reads a file piece by piece and raises 415 as soon as it cannot be text in UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes, *, is_last: bool = False) -> None:
        """Look at the next piece."""
        try:
            text = self._decoder.decode(data, is_last)
        except UnicodeDecodeError:
            unsupported()
        if "\0" in text:
            unsupported()


def mislabelled(extension: str) -> NoReturn:
    """Refuse a file that is not what its name says."""
    refuse(415, ErrorCode.INVALID_INPUT, f"The file's content is not what its name (.{extension[:16]}) says.")


def unsupported() -> NoReturn:
    """Refuse what is neither an image nor a PDF nor text."""
    refuse(
        415,
        ErrorCode.INVALID_INPUT,
        "Unsupported file type: only images, PDF documents and text in UTF-8 can be attached.",
    )


def too_large(limit: int, what: str = "this file type") -> NoReturn:
    """Refuse a file over its limit."""
    message = f"Attachment exceeds the {limit // MIB} MB limit for {what}."
    refuse(413, ErrorCode.PAYLOAD_TOO_LARGE, message)


def refuse(status: int, code: ErrorCode, message: str) -> NoReturn:
    """Raise an error that clients of the released server find under `detail`."""
    raise OmnigentError(code, message, status=status, detail=message)


def is_image(media_type: str) -> bool:
    """Whether this is a picture."""
    return media_type.startswith("image/")


def is_text(media_type: str) -> bool:
    """Whether a file of this type was checked to be text."""
    return media_type.startswith("text/") or media_type == SVG or media_type in _TEXT_TYPES


def served_type(media_type: str) -> str:
    """The type under which a file leaves the server. What a browser could run leaves as plain text."""
    shown = PLAIN if media_type in _ACTIVE else media_type
    return f"{shown}{UTF_8}" if is_text(shown) else shown


_TEXT_TYPES = frozenset(kind.media_type for kind in BY_EXTENSION.values() if kind.is_text)

"""Paths inside a bundle: what one may be called, and that no two can be taken for each other."""

import re
import unicodedata

from omnigent.spec.errors import BundleError

MAX_PATH = 1000
MAX_NAME_BYTES = 255

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Marks that make a name read differently from what it is, and line breaks of Unicode.
_MISLEADING = re.compile(r"[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_DRIVE = re.compile(r"^[A-Za-z]:")


def safe_path(name: str) -> str:
    """A relative path without `.`, `..`, drives, backslashes or control characters; "" is the root."""
    shown = name[:100].encode("utf-8", "replace").decode()
    parts = [part for part in name.split("/") if part not in {"", "."}]
    # Windows drops dots and blanks at the end of a name, which turns `.. ` into the parent.
    climbs = any(not part.strip(" .") for part in parts)
    if name.startswith("/") or "\\" in name or _DRIVE.match(name) or climbs:
        raise BundleError(f"the path {shown!r} leads outside")
    try:
        too_long = len(name) > MAX_PATH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts)
    except UnicodeEncodeError:
        raise BundleError(f"the path {shown!r} is not UTF-8") from None
    if too_long:
        raise BundleError(f"the path {shown!r} is too long")
    if _CONTROL.search(name) or _MISLEADING.search(name):
        raise BundleError(f"the path {shown!r} has control characters")
    return "/".join(parts)


class TakenPaths:
    """Paths already taken; no path may come twice or be both a file and a directory.

    Names that differ in case or in the composition of their letters alone are one file on some hosts.
    """

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._directories: dict[str, str] = {}

    def add_file(self, path: str) -> None:
        key = _folded(path)
        if not path or key in self._files or key in self._directories:
            raise BundleError(f"{path!r} appears twice")
        self._files[key] = path
        self.add_directory(path.rpartition("/")[0])

    def add_directory(self, path: str) -> None:
        while path:
            key = _folded(path)
            if key in self._files:
                raise BundleError(f"{path!r} is both a file and a directory")
            known = self._directories.get(key)
            if known == path:
                return
            if known is not None:
                raise BundleError(f"{path!r} appears twice, also as {known!r}")
            self._directories[key] = path
            path = path.rpartition("/")[0]


def _folded(path: str) -> str:
    return path.casefold() if path.isascii() else unicodedata.normalize("NFC", path.casefold())

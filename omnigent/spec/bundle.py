"""Agent bundles: read a tar.gz in memory without trusting it; pack equal files into equal bytes."""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from omnigent.spec.document import load_mapping
from omnigent.spec.parser import parse_spec, shape_of
from omnigent.spec.types import AgentSpec, BundleError

# Larger files travel with the bundle but can be neither its documents nor its prompt.
MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_PATH = 1000
MAX_NAME_BYTES = 255

_GZIP_MAGIC = b"\x1f\x8b"
_RATIO_FLOOR = 10 * 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What an archive may cost before it is refused; counted while reading, never from its headers."""

    entries: int = 10_000
    total_bytes: int = 500 * 1024 * 1024
    ratio: int = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What one pass over an archive tells: the agent and the digest of its content."""

    spec: AgentSpec
    digest: str
    entries: int
    total_bytes: int


DEFAULT_LIMITS = Limits()


def read(data: bytes, limits: Limits = DEFAULT_LIMITS) -> AgentSpec:
    """The agent in an archive."""
    return inspect(data, limits).spec


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Bundle:
    """Read an archive once, holding only its small files."""
    files: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    total = 0
    for path, content in members(data, limits):
        hashes[path] = sha256(content).hexdigest()
        total += len(content)
        if len(content) <= MAX_DOCUMENT_BYTES:
            files[path] = content
    return Bundle(spec=spec_of(files), digest=_digest(hashes), entries=len(hashes), total_bytes=total)


def unpack(data: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, bytes]:
    """All regular files of an archive by normalised path, in memory."""
    return dict(members(data, limits))


def spec_of(files: Mapping[str, bytes]) -> AgentSpec:
    """The agent that a set of files describes: `config.yaml`, or the only YAML file at the root."""
    if "config.yaml" in files:
        return parse_spec(
            load_mapping(files["config.yaml"], name="config.yaml"), _others(files, "config.yaml")
        )
    roots = [
        path
        for path in files
        if "/" not in path and not path.startswith(".") and path.endswith((".yaml", ".yml"))
    ]
    if len(roots) != 1:
        raise BundleError("it has neither a config.yaml nor exactly one YAML file at its root")
    data = load_mapping(files[roots[0]], name=roots[0])
    if shape_of(data) != "single-file":
        raise BundleError(f"{roots[0]} needs a name and a prompt, and no spec_version")
    return parse_spec(data, _others(files, roots[0]))


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz whose bytes depend on paths and contents alone."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(files):
            member = tarfile.TarInfo(_safe_path(path))
            member.size = len(files[path])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(files[path]))
    return buffer.getvalue()


def digest(files: Mapping[str, bytes]) -> str:
    """Hex SHA-256 over paths and contents; archive metadata has no part in it."""
    return _digest({path: sha256(content).hexdigest() for path, content in files.items()})


def members(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of each regular file in archive order; BundleError at the first thing unsafe."""
    try:
        yield from _members(data, limits)
    except (tarfile.TarError, zlib.error, EOFError, OSError, UnicodeError, OverflowError) as error:
        raise BundleError("the archive is damaged or not a tar.gz") from error


def _members(data: bytes, limits: Limits) -> Iterator[tuple[str, bytes]]:
    seen = _Paths()
    total = entries = 0
    source = _Bounded(data, limits)
    with tarfile.open(fileobj=source, mode="r|", errorlevel=2) as archive:
        for member in archive:
            entries += 1
            if entries > limits.entries:
                raise BundleError(f"it has more than {limits.entries} entries")
            path = _safe_path(member.name)
            if member.isdir():
                seen.add_directory(path)
                continue
            if not member.isreg() or member.issparse():
                raise BundleError(f"{path!r} is neither a regular file nor a directory")
            total += member.size
            if total > limits.total_bytes:
                raise BundleError(f"it unpacks to more than {limits.total_bytes} bytes")
            seen.add_file(path)
            stream = archive.extractfile(member)
            content = stream.read() if stream else b""
            if len(content) != member.size:
                raise BundleError("the archive is cut short")
            yield path, content
    # The checksum stands at the very end, behind the padding that the tar reader skips.
    while source.read(tarfile.RECORDSIZE):
        pass


class _Bounded(io.RawIOBase):
    """The tar bytes of a possibly compressed archive, refusing to grow past the limits.

    The bound lies under the tar reader because headers alone can be made to expand without end.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        raw = io.BytesIO(data)
        compressed = data.startswith(_GZIP_MAGIC)
        self.source: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if compressed else raw
        headers = 4096 * limits.entries + _RATIO_FLOOR
        self.by_size = limits.total_bytes + headers
        self.by_ratio = max(_RATIO_FLOOR, limits.ratio * len(data))
        self.produced = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self.source.read(size)
        self.produced += len(chunk)
        if self.produced > self.by_size:
            raise BundleError("it unpacks to too many bytes")
        if self.produced > self.by_ratio:
            raise BundleError("it is compressed suspiciously well")
        return chunk


class _Paths:
    """Paths already taken; no path may come twice or be both a file and a directory."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.directories: set[str] = set()

    def add_file(self, path: str) -> None:
        if not path or path in self.files or path in self.directories:
            raise BundleError(f"{path!r} appears twice")
        self.files.add(path)
        self.add_directory(path.rpartition("/")[0])

    def add_directory(self, path: str) -> None:
        while path:
            if path in self.files:
                raise BundleError(f"{path!r} is both a file and a directory")
            self.directories.add(path)
            path = path.rpartition("/")[0]


def _safe_path(name: str) -> str:
    """A relative path without `.`, `..`, drives, backslashes or control characters; "" is the root."""
    shown = name[:100].encode("utf-8", "replace").decode()
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or "\\" in name or _DRIVE.match(name) or ".." in parts:
        raise BundleError(f"the path {shown!r} leads outside")
    try:
        too_long = len(name) > MAX_PATH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts)
    except UnicodeEncodeError:
        raise BundleError(f"the path {shown!r} is not UTF-8") from None
    if too_long or _CONTROL.search(name):
        raise BundleError(f"the path {shown!r} is too long or has control characters")
    return "/".join(parts)


def _others(files: Mapping[str, bytes], document: str) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path != document}


def _digest(hashes: Mapping[str, str]) -> str:
    lines = (f"{path}\x00{hashes[path]}\n" for path in sorted(hashes))
    return sha256("".join(lines).encode()).hexdigest()

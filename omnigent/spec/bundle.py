"""Agent bundles: read an archive in memory without trusting it; pack equal files into equal bytes."""

import gzip
import io
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from omnigent.spec.compression import RATIO_FLOOR, Bounded
from omnigent.spec.document import load_mapping
from omnigent.spec.errors import BundleError
from omnigent.spec.parser import parse_spec, shape_of
from omnigent.spec.paths import TakenPaths, safe_path
from omnigent.spec.tar import Archive
from omnigent.spec.tree import DOCUMENT
from omnigent.spec.types import AgentSpec

# Larger files travel with the bundle but can be neither its documents nor its prompt.
MAX_DOCUMENT_BYTES = 1024 * 1024

_HEADER_BYTES = 4096
_YAML = (".yaml", ".yml")


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


def read(data: bytes, limits: Limits = DEFAULT_LIMITS, *, lenient: bool = False) -> AgentSpec:
    """The agent in an archive; `lenient` as in `parse_spec`."""
    return inspect(data, limits, lenient=lenient).spec


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS, *, lenient: bool = False) -> Bundle:
    """Read an archive once, holding only its small files; `lenient` as in `parse_spec`."""
    files: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    total = 0
    for path, content in members(data, limits):
        hashes[path] = sha256(content).hexdigest()
        total += len(content)
        if len(content) <= MAX_DOCUMENT_BYTES:
            files[path] = content
    around = _wrapper(hashes)
    hashes = {path.removeprefix(around): value for path, value in hashes.items()}
    files = {path.removeprefix(around): content for path, content in files.items()}
    return Bundle(
        spec=spec_of(files, lenient=lenient), digest=_digest(hashes), entries=len(hashes), total_bytes=total
    )


def unpack(data: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, bytes]:
    """All regular files of an archive by normalised path, in memory, without a directory around them all."""
    files = dict(members(data, limits))
    around = _wrapper(files)
    return {path.removeprefix(around): content for path, content in files.items()}


def spec_of(files: Mapping[str, bytes], *, lenient: bool = False) -> AgentSpec:
    """The agent that a set of files describes: `config.yaml`, or the only YAML file at the root."""
    roots = [path for path in files if _is_root_document(path)]
    document = DOCUMENT if DOCUMENT in files else roots[0] if len(roots) == 1 else None
    if document is None:
        raise BundleError("it has neither a config.yaml nor exactly one YAML file at its root")
    data = load_mapping(files[document], name=document)
    if document != DOCUMENT and shape_of(data) != "single-file":
        raise BundleError(f"{document} needs a name and a prompt, and no spec_version")
    others = {path: content for path, content in files.items() if path != document}
    return parse_spec(data, others, document=document, lenient=lenient)


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz whose bytes depend on paths and contents alone."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(files):
            member = tarfile.TarInfo(safe_path(path))
            member.size = len(files[path])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(files[path]))
    return buffer.getvalue()


def digest(files: Mapping[str, bytes]) -> str:
    """Hex SHA-256 over paths and contents; archive metadata has no part in it."""
    return _digest({path: sha256(content).hexdigest() for path, content in files.items()})


def members(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of each regular file in archive order; BundleError at the first thing unsafe."""
    taken = TakenPaths()
    total = count = 0
    # The bound lies under the tar reader because headers alone can be made to expand without end.
    headers = _HEADER_BYTES * limits.entries + RATIO_FLOOR
    archive = Archive(Bounded(data, total=limits.total_bytes + headers, ratio=limits.ratio))
    for entry in archive.entries():
        count += 1
        if count > limits.entries:
            raise BundleError(f"it has more than {limits.entries} entries")
        path = safe_path(entry.name)
        if entry.is_directory:
            taken.add_directory(path)
            continue
        if not entry.is_file:
            raise BundleError(f"{path!r} is neither a regular file nor a directory")
        total += entry.size
        if total > limits.total_bytes:
            raise BundleError(f"it unpacks to more than {limits.total_bytes} bytes")
        taken.add_file(path)
        yield path, archive.content(entry)


def _is_root_document(path: str) -> bool:
    return "/" not in path and not path.startswith(".") and path.endswith(_YAML)


def _wrapper(paths: Collection[str]) -> str:
    """The directory that some archivers put around everything, when an agent stands in it; else nothing."""
    tops = {path.partition("/")[0] for path in paths}
    if len(tops) != 1:
        return ""
    around = f"{tops.pop()}/"
    inside = [path.removeprefix(around) for path in paths if path.startswith(around)]
    return around if any(map(_is_root_document, inside)) else ""


def _digest(hashes: Mapping[str, str]) -> str:
    lines = (f"{path}\x00{hashes[path]}\n" for path in sorted(hashes))
    return sha256("".join(lines).encode()).hexdigest()

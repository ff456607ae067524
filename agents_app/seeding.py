"""The operator's agents on disk: the shipped ones, and those that the environment names."""

import errno
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnigent import spec
from omnigent.spec import InvalidAgentError, bundle

logger = logging.getLogger(__name__)

SHIPPED = Path(spec.__path__[0]) / "builtin"
DOCUMENT = "config.yaml"
YAML_SUFFIXES = (".yaml", ".yml")
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
MAX_FILES = bundle.DEFAULT_LIMITS.entries
MAX_BYTES = bundle.DEFAULT_LIMITS.total_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One agent as it lies on disk: its files by path inside the bundle."""

    path: Path
    files: Mapping[str, bytes]


def sources(places: Iterable[Path]) -> Iterator[Source]:
    """Every agent in these files and directories. What cannot be read is logged and skipped."""
    for place in places:
        try:
            entries = list(_entries(place))
        except OSError as error:
            _skip(place, error.strerror or "cannot be read")
            continue
        if not entries:
            _skip(place, "holds no agent")
        for entry in entries:
            try:
                yield Source(path=entry, files=_files(entry))
            except (OSError, InvalidAgentError) as error:
                _skip(entry, str(error))


def required(place: Path) -> Iterator[Source]:
    """Every agent in one file or directory. Raises OSError and InvalidAgentError for what cannot be read."""
    entries = list(_entries(place))
    if not entries:
        raise FileNotFoundError(errno.ENOENT, "holds no agent", str(place))
    for entry in entries:
        yield Source(path=entry, files=_files(entry))


def _skip(path: Path, reason: str) -> None:
    logger.warning("agent_skipped", extra={"path": str(path), "reason": reason})


def _entries(place: Path) -> Iterator[Path]:
    """A place is one agent, or a directory of agents."""
    if not place.is_dir() or (place / DOCUMENT).is_file():
        yield place
        return
    for child in sorted(place.iterdir()):
        if child.is_dir():
            if (child / DOCUMENT).is_file():
                yield child
        elif child.name.endswith((*YAML_SUFFIXES, *ARCHIVE_SUFFIXES)):
            yield child


def _files(entry: Path) -> Mapping[str, bytes]:
    if entry.is_dir():
        return _tree(entry)
    if entry.name.endswith(ARCHIVE_SUFFIXES):
        return bundle.unpack(entry.read_bytes())
    return {_document_name(entry): entry.read_bytes()}


def _document_name(entry: Path) -> str:
    """A lone file in the directory form must be called by the name that form requires."""
    data = spec.load_yaml(entry.read_bytes(), name=entry.name)
    return DOCUMENT if isinstance(data, dict) and "spec_version" in data else entry.name


def _tree(root: Path) -> Mapping[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        total += path.stat().st_size
        if len(files) >= MAX_FILES or total > MAX_BYTES:
            raise spec.BundleError("it has too many or too large files")
        files[path.relative_to(root).as_posix()] = path.read_bytes()
    return files

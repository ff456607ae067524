"""An agent's bundle from whatever a caller has: bytes, an archive, or a directory."""

import gzip
import io
import tarfile
from os import PathLike
from pathlib import Path


def bundle_bytes(bundle: bytes | str | PathLike[str]) -> bytes:
    """The gzipped tar archive. Reads files, so it runs in a thread; raises OSError when it cannot."""
    if isinstance(bundle, bytes):
        return bundle
    path = Path(bundle)
    return packed(path) if path.is_dir() else path.read_bytes()


def packed(directory: Path) -> bytes:
    """A directory's regular files; the same files always give the same bytes, so that a retry is the same."""
    archive = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", filename="", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(directory.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                member = tarfile.TarInfo(path.relative_to(directory).as_posix())
                member.size = len(content)
                member.mode = 0o644
                tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()

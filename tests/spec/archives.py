"""Archives made by hand, with whatever a test wants wrong with them."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from types import MappingProxyType

Member = tuple[tarfile.TarInfo, bytes]

COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
)


def member(name: str, content: bytes = b"", **fields: object) -> Member:
    """One entry; fields are those of tarfile.TarInfo."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def tar(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive as it is before compression."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archive(*members: Member) -> bytes:
    """A tar.gz."""
    return gzip.compress(tar(*members))


def header(
    name: bytes, kind: bytes = b"0", size: bytes = b"00000000000\0", magic: bytes = b"ustar\x0000"
) -> bytes:
    """A header that tarfile would not write, with a checksum that is right."""
    block = (
        name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size.ljust(12, b"\0") + b"0" * 11 + b"\0"
    )
    block += b" " * 8 + kind + bytes(100) + magic
    block = block.ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(content: bytes) -> bytes:
    """Content as it follows a header."""
    return content + bytes(-len(content) % 512)

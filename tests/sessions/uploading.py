"""Files as the tests upload them, and what is left of them on the disk."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from sessions_app.models import Blob, File, Session
from sessions_app.process import Process
from tests.factories import make_session

ROWS = (File, Blob)


def picture(form: str = "PNG", size: tuple[int, int] = (8, 6), **options: Any) -> bytes:
    """A real image."""
    buffer = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, form, **options)
    return buffer.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises these dimensions and which has next to no data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


async def new_session(process: Process, **fields: Any) -> Session:
    """A session of the local user."""
    return await process.pool.run(make_session, **fields)


def files_url(session: Session | str) -> str:
    """Where a session's files are."""
    session_id = session if isinstance(session, str) else session.public_id
    return f"/v1/sessions/{session_id}/resources/files"


async def upload(
    http: httpx.AsyncClient, session: Session | str, name: str, data: bytes, **headers: str
) -> httpx.Response:
    """POST one file, with a content type that nobody may believe."""
    files = {"file": (name, data, "application/x-believe-me")}
    return await http.post(files_url(session), files=files, headers=headers)


async def uploaded(http: httpx.AsyncClient, session: Session | str, name: str, data: bytes) -> dict[str, Any]:
    """The resource of a file that must be taken."""
    answer = await upload(http, session, name, data)
    assert answer.status_code == 201, answer.text
    resource: dict[str, Any] = answer.json()
    return resource


def on_disk(media: Path) -> list[Path]:
    """Every file under the storage's root, those on their way included."""
    return [path for path in sorted(media.rglob("*")) if path.is_file()]


async def left(process: Process, media: Path) -> tuple[int, int, int]:
    """How many file rows, blob rows and stored files there are."""

    def count() -> tuple[int, int]:
        return File.objects.count(), Blob.objects.count()

    rows = await process.pool.run(count)
    return (*rows, len(on_disk(media)))

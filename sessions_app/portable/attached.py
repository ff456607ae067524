"""The bytes of a file in an archive: they pass the same checks as an upload under that name."""

from pathlib import Path

from omnigent.errors import OmnigentError
from sessions_app.files import images, intake, kinds
from sessions_app.files.intake import Upload
from sessions_app.portable.documents import FileLine
from sessions_app.portable.layout import InvalidArchive
from sessions_app.portable.unpacking import Part

PIECE = 256 * 1024


def check_file(file: FileLine, part: Part) -> None:
    """Raise InvalidArchive unless the bytes are what an upload of this name and type would have stored."""
    path = part.path
    if path is None or part.size != file.bytes:
        raise InvalidArchive(f"bytes: must be {part.size}")
    try:
        if intake.clean_name(file.filename) != file.filename:
            raise InvalidArchive("filename: must be a plain file name")
        _check_content(file, part, path)
    except OmnigentError as error:
        raise InvalidArchive(f"{file.id}: {error.message}") from None


def _check_content(file: FileLine, part: Part, path: Path) -> None:
    with path.open("rb") as content:
        head = content.read(kinds.HEAD)
        kind = kinds.decide(file.filename, head)
        if kind.media_type != file.content_type:
            raise InvalidArchive(f"content_type: must be {kind.media_type}")
        if part.size > kind.limit:
            kinds.too_large(kind.limit)
        if kind.is_text:
            check = kinds.TextCheck()
            check.feed(head)
            while data := content.read(PIECE):
                check.feed(data)
            check.feed(b"", is_last=True)
    upload = Upload(path=path, filename=file.filename, kind=kind, digest=part.sha256, size=part.size)
    fitted = images.fitted(upload, path.parent)
    if fitted.path != path:
        fitted.path.unlink(missing_ok=True)
        raise InvalidArchive(f"{file.id}: the image is larger than {images.MAX_EDGE} pixels")

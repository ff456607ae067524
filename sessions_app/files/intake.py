"""From a multipart body to one file on disk: its name cleaned, its type decided, its limit enforced."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from omnigent.api.validation import ValidationFailed, problem
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.files import kinds
from sessions_app.files.kinds import Kind, TextCheck

MULTIPART = "multipart/form-data"
PART = "file"
MAX_NAME = 255
MAX_EXTENSION = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A complete file that is not stored yet; `path` is deleted by whoever received it."""

    path: Path
    filename: str
    kind: Kind
    digest: str
    size: int

    @property
    def asked_for(self) -> bytes:
        """What a retry under the same idempotency key must have in common; boundaries differ."""
        return f"{self.filename}\0{self.digest}".encode()


def no_part() -> ValidationFailed:
    """The answer to a body without the file."""
    return ValidationFailed([problem("missing", ("body", PART), "Field required")])


def no_filename() -> OmnigentError:
    """The answer to a file without a usable name."""
    return OmnigentError(ErrorCode.INVALID_INPUT, "The uploaded file has no usable filename")


def clean_name(text: str) -> str:
    """The last part of a path without what cannot be shown, at most MAX_NAME characters; raises 400."""
    last = text.replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in last if character.isprintable()).strip()
    if name in ("", ".", ".."):
        raise no_filename()
    if len(name) <= MAX_NAME:
        return name
    root, dot, extension = name.rpartition(".")
    if not dot or len(extension) > MAX_EXTENSION:
        return name[:MAX_NAME]
    return f"{root[: MAX_NAME - len(extension) - 1]}.{extension}"


def receive(content_type: str, body: IO[bytes], length: int, directory: Path) -> Upload:
    """Read the body's file into `directory`. Raises 400, 413, 415 or 422; then nothing is left of it."""
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": length}
    with incoming_file(directory) as path, path.open("wb") as target:
        handler = Handler(target)
        source: Any = body  # the stubs know requests only
        try:
            fields, _ = Parser(meta, source, [handler]).parse()
        except MultiPartParserError as error:
            raise OmnigentError(ErrorCode.INVALID_INPUT, f"Invalid multipart body: {error}") from None
        except SuspiciousOperation:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Invalid multipart body: too many parts") from None
        if handler.filename is None:
            raise no_filename() if PART in fields else no_part()
        if not handler.is_complete or handler.kind is None:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Invalid multipart body: the file is incomplete")
        settle(target)
        return Upload(
            path=path,
            filename=handler.filename,
            kind=handler.kind,
            digest=handler.digest.hexdigest(),
            size=handler.size,
        )


@contextmanager
def incoming_file(directory: Path) -> Iterator[Path]:
    """A new empty file that is deleted when the block fails."""
    descriptor, name = tempfile.mkstemp(dir=directory)
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def settle(file: IO[bytes]) -> None:
    """Have the bytes on the disk before anybody is told that they are stored."""
    file.flush()
    os.fsync(file.fileno())


class Parser(MultiPartParser):
    """Django's parser with our rule about names."""

    def sanitize_file_name(self, file_name: str) -> str:
        """Raises 400 for a name of which nothing is left."""
        return clean_name(file_name)


class Handler(FileUploadHandler):
    """Takes the first part called `file`, and stops the parser when it turns out not to be acceptable."""

    def __init__(self, target: IO[bytes]) -> None:
        super().__init__()
        self.filename: str | None = None
        self.kind: Kind | None = None
        self.digest = hashlib.sha256()
        self.size = 0
        self.is_complete = False
        self._target = target
        self._head = b""
        self._text: TextCheck | None = None

    def new_file(self, field_name: str, file_name: str, *args: object, **more: object) -> None:
        """Begin, or skip a part that nobody asked for."""
        if field_name != PART or self.filename is not None:
            raise SkipFile
        self.filename = file_name

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take a piece. Raises 413 as soon as the limit is crossed."""
        self.size += len(raw_data)
        self.digest.update(raw_data)
        self._target.write(raw_data)
        if self.kind is None:
            self._head += raw_data
            if len(self._head) >= kinds.HEAD:
                self._decide()
        elif self._text is not None:
            self._text.feed(raw_data)
        if self.size > (kinds.LARGEST if self.kind is None else self.kind.limit):
            kinds.too_large(kinds.LARGEST if self.kind is None else self.kind.limit)

    def file_complete(self, file_size: int) -> None:
        """All of it was there."""
        if self.kind is None:
            self._decide()
        if self._text is not None:
            self._text.feed(b"", is_last=True)
        self.is_complete = True

    def _decide(self) -> None:
        self.kind = kinds.decide(self.filename or "", self._head)
        if self.kind.is_text:
            self._text = TextCheck()
            self._text.feed(self._head)
        self._head = b""

"""The `archive` part of a multipart body, copied to a file while it is read."""

from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from omnigent.api.validation import ValidationFailed, problem
from omnigent.errors import ErrorCode, OmnigentError

PART = "archive"


def receive(content_type: str, body: IO[bytes], target: IO[bytes]) -> Mapping[str, str]:
    """Copy the archive to `target`; gives the plain fields. Raises 400 for a broken body, 422 without it."""
    length = body.seek(0, 2)
    body.seek(0)
    handler = Handler(target)
    source: Any = body  # the stubs know requests only
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": length}
    try:
        fields, _ = Parser(meta, source, [handler]).parse()
    except MultiPartParserError as error:
        raise OmnigentError(ErrorCode.INVALID_INPUT, f"Invalid multipart body: {error}") from None
    except SuspiciousOperation:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "Invalid multipart body: too many parts") from None
    if not handler.is_begun:
        raise ValidationFailed([problem("missing", ("body", PART), "Field required")])
    if not handler.is_complete:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "Invalid multipart body: the archive is incomplete")
    target.seek(0)
    return {name: str(fields[name]) for name in fields}


class Parser(MultiPartParser):
    """Django's parser; an archive may have any name or none."""

    def sanitize_file_name(self, file_name: str) -> str:
        """The name is not used."""
        return PART


class Handler(FileUploadHandler):
    """Takes the first part of that name."""

    def __init__(self, target: IO[bytes]) -> None:
        super().__init__()
        self.is_begun = False
        self.is_complete = False
        self._target = target

    def new_file(self, field_name: str, *args: object, **more: object) -> None:
        """Begin, or skip a part that nobody asked for."""
        if field_name != PART or self.is_begun:
            raise SkipFile
        self.is_begun = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take a piece."""
        self._target.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        """All of it was there."""
        self.is_complete = True

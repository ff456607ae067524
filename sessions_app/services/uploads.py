"""A session that brings its agent along: the parts of a multipart body."""

from io import BytesIO

import orjson
from django.core.files.base import File
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from pydantic import ValidationError

from omnigent.api.validation import ValidationFailed, problem, refuse_nul
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.bodies import UploadMetadata
from sessions_app.services import rules
from sessions_app.services.creation import Asked

MULTIPART = "multipart/form-data"
BUNDLE, METADATA = "bundle", "metadata"


class InMemory(MemoryFileUploadHandler):
    """Keeps every file in memory; the whole body is there already and is capped."""

    def handle_raw_input(self, *args: object, **kwargs: object) -> None:
        """Take the file whatever its size."""
        self.activated = True


def read(content_type: str, raw: bytes) -> Asked:
    """The agent's bundle and the session's fields. Raises 422 for a missing part, 400 for a bad one."""
    fields, files = _parts(content_type, raw)
    bundle = _content(files, BUNDLE)
    metadata = _content(files, METADATA) or fields.get(METADATA)
    missing = [name for name, part in ((METADATA, metadata), (BUNDLE, bundle)) if part is None]
    if missing or bundle is None or metadata is None:
        raise ValidationFailed([problem("missing", ("body", name), "Field required") for name in missing])
    return Asked(body=_metadata(metadata), bundle=bundle)


def read_bundle(content_type: str, raw: bytes) -> bytes:
    """An agent's bundle alone. Raises 422 when the part is missing, 400 for a bad body."""
    _, files = _parts(content_type, raw)
    bundle = _content(files, BUNDLE)
    if bundle is None:
        raise ValidationFailed([problem("missing", ("body", BUNDLE), "Field required")])
    return bundle


def _content(files: "MultiValueDict[str, BytesIO]", name: str) -> bytes | None:
    found = files.get(name)
    return found.read() if isinstance(found, File) else None


def _parts(content_type: str, raw: bytes) -> "tuple[MultiValueDict[str, str], MultiValueDict[str, BytesIO]]":
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": len(raw)}
    try:
        fields, files = MultiPartParser(meta, BytesIO(raw), [InMemory()]).parse()
    except MultiPartParserError as error:
        raise rules.invalid(f"invalid multipart body: {error}") from None
    return fields, files


def _metadata(text: str | bytes) -> UploadMetadata:
    try:
        value = orjson.loads(text)
        refuse_nul(value, where=METADATA)
        return UploadMetadata.model_validate(value)
    except (orjson.JSONDecodeError, ValidationError, ValidationFailed) as error:
        raise rules.invalid(f"invalid session metadata: {_reason(error)}") from None


def _reason(error: ValueError | ValidationFailed) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'metadata'}: {first['msg']}"
    return str(error)


def too_large() -> OmnigentError:
    """The answer to an upload over the cap."""
    message = "The uploaded bundle is too large"
    return OmnigentError(ErrorCode.PAYLOAD_TOO_LARGE, message, detail=message)

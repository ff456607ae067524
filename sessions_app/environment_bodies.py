"""What the routes of environments take: request bodies and query strings as strict models."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from omnigent.api.pagination import PageQuery
from omnigent.api.validation import ValidationFailed, load_json, problem, validate
from omnigent.errors import ErrorCode, OmnigentError

MAX_SHELL_SECONDS = 600.0
MAX_RESULTS = 500

Cursor = Annotated[str, Field(max_length=4096)]
Globs = Annotated[str, Field(max_length=1000)]


class AtBase(BaseModel):
    """Where a path begins: in the workspace, or with `host` at the root of the runner's machine."""

    model_config = ConfigDict(extra="ignore")

    base: Literal["workspace", "host"] = "workspace"


class ListResources(PageQuery):
    """GET …/resources; without a type all of them are listed."""

    type: str | None = None


class ReadFiles(AtBase, PageQuery):
    """GET …/filesystem: the paging is for directories; their cursors are the ids of entries."""

    after: Cursor | None = None
    before: Cursor | None = None
    download: bool = False


class SearchFiles(AtBase):
    """GET …/search: files by their name, or lines by what stands in them."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"\S")]
    include: Globs | None = None
    exclude: Globs | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = MAX_RESULTS
    mode: Literal["name", "content"] = "name"


class DeleteFile(AtBase):
    """DELETE …/filesystem/{path}; a directory that is not empty goes with `recursive` only."""

    recursive: bool = False


class WriteFile(BaseModel):
    """PUT …/filesystem/{path}: the whole content, text or base64."""

    model_config = ConfigDict(extra="ignore")

    content: str
    encoding: Literal["utf-8", "base64"] = "utf-8"
    create_parents: bool = True


class EditFile(BaseModel):
    """PATCH …/filesystem/{path}: the first place where `old_text` stands, or every one."""

    model_config = ConfigDict(extra="ignore")

    old_text: Annotated[str, Field(min_length=1)]
    new_text: str
    replace_all: bool = False


class RunCommand(BaseModel):
    """POST …/shell; `timeout` is in seconds."""

    model_config = ConfigDict(extra="ignore")

    command: str
    timeout: Annotated[float, Field(gt=0, le=MAX_SHELL_SECONDS)] | None = None


def content_of(raw: bytes) -> WriteFile:
    """The body of a write. Raises 422, and 400 for base64 that is none."""
    body = validate(WriteFile, load_json(raw), where="body")
    if body.encoding == "base64":
        try:
            base64.b64decode(body.content, validate=True)
        except (binascii.Error, ValueError):
            raise OmnigentError(ErrorCode.INVALID_INPUT, "content is not base64") from None
    return body


def command_of(raw: bytes) -> RunCommand:
    """The body of a command. Raises 422, and 400 for one without a command."""
    body = load_json(raw)
    if not isinstance(body, dict):
        raise ValidationFailed([problem("dict_type", ("body",), "Input should be a valid dictionary", body)])
    command = body.get("command")
    if command is None or (isinstance(command, str) and not command.strip()):
        message = "command is required"
        raise OmnigentError(ErrorCode.INVALID_INPUT, message, detail=message)
    return validate(RunCommand, body, where="body")

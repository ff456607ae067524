"""The files of a session: list, facts, bytes, deletion and copies; uploads are answered by a consumer."""

from typing import Annotated

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.pagination import PageQuery
from omnigent.api.schema.describing import MULTIPART, describes
from omnigent.api.validation import parse, parse_query
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import FILE
from sessions_app.api.answers import answered_by_consumer, caller, json_answer
from sessions_app.api.shapes import resources as shapes
from sessions_app.api.writing import answer, once
from sessions_app.files import blobs, kinds
from sessions_app.models import File
from sessions_app.services import files
from sessions_app.services.access import Access, Level, require
from sessions_app.services.receipts import Answer

CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
MAX_COPIES = 100
BYTES = {"type": "string", "format": "binary"}
UPLOAD = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
}
KNOWN = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="An `ETag` from before.")


class CopyFiles(BaseModel):
    """POST …/resources/files:copy."""

    model_config = ConfigDict(extra="forbid")

    source_session_id: Annotated[str, Field(max_length=64)]
    file_ids: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MAX_COPIES)]


class FileCollection(APIView):
    """The uploaded files of a session."""

    @describes(shapes.ResourcePage, query=PageQuery)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """A page of files, newest first unless asked otherwise."""
        asked = parse_query(PageQuery, request.META["QUERY_STRING"])
        found = require(caller(request), session_id, Level.READ)
        return json_answer(files.page(found.pk, found.public_id, asked.page(FILE)))

    @describes({201: shapes.FileResource}, body={MULTIPART: UPLOAD}, refuses=(413, 415))
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Upload the `file` part of a multipart body; 201 with the resource."""
        answered_by_consumer()


class FileItem(APIView):
    """One uploaded file."""

    @describes(shapes.FileResource)
    def get(self, request: Request, session_id: str, file_id: str) -> HttpResponse:
        """The resource object."""
        found = require(caller(request), session_id, Level.READ)
        return json_answer(_shown(found, files.find(found.pk, file_id)))

    @describes(shapes.DeletedResource)
    def delete(self, request: Request, session_id: str, file_id: str) -> HttpResponse:
        """Delete the file; messages that name it keep its id."""
        who = caller(request)
        return once(request, lambda: answer(files.delete_file(who, session_id, file_id)))


class FileContent(APIView):
    """The bytes of an uploaded file."""

    @describes({200: BYTES, 304: None}, headers=[KNOWN], media="*/*")
    def get(self, request: Request, session_id: str, file_id: str) -> HttpResponseBase:
        """The file as a download; 304 when the caller has it. No browser shows or runs it from here."""
        found = require(caller(request), session_id, Level.READ)
        file = files.find(found.pk, file_id)
        etag = f'"{file.public_id}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "private, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": CONTENT_POLICY,
        }
        known = parse_etags(request.headers.get("If-None-Match", ""))
        if "*" in known or etag in (each.removeprefix("W/") for each in known):
            return HttpResponse(status=304, headers=headers)
        try:
            content = blobs.open_blob(file.blob_id)
        except FileNotFoundError:
            raise OmnigentError(ErrorCode.NOT_FOUND, "The file's content is missing") from None
        return FileResponse(
            content,
            as_attachment=True,
            filename=file.filename,
            content_type=kinds.served_type(file.content_type),
            headers=headers,
        )


class FileCopies(APIView):
    """Files that a sub-agent's session takes over from a session above it."""

    @describes(shapes.CopiedFiles, body=CopyFiles)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Copy files; the answer maps each id to its copy."""
        body = parse(CopyFiles, request.body)
        who, source_id = caller(request), body.source_session_id

        def work() -> Answer:
            return answer(
                files.copy_from_ancestor(who, session_id, source_id=source_id, file_ids=body.file_ids)
            )

        return once(request, work)


def _shown(found: Access, file: File) -> dict[str, object]:
    return files.resource(file, size=file.blob.size, session_id=found.public_id)

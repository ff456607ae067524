"""`GET …/export`, which is written as fast as its reader reads, and `POST /v1/sessions/import`."""

import tempfile
from collections.abc import Mapping
from contextlib import aclosing
from typing import IO, Any, Literal

from django.conf import settings
from pydantic import BaseModel, ConfigDict

from omnigent.api.asgi import header_values
from omnigent.api.body import BodyRules, read_body
from omnigent.api.errors import TOO_LARGE_MESSAGE
from omnigent.api.validation import parse_query, validate
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.consumers.sessions import SessionWriter, type_of
from sessions_app.files.workshop import Workshop
from sessions_app.flows import import_
from sessions_app.flows.export import Exporter
from sessions_app.flows.import_ import Asked
from sessions_app.portable import receiving
from sessions_app.services import exporting, importing
from sessions_app.services.exporting import Plan

MULTIPART = "multipart/form-data"
GZIP = frozenset({"application/gzip", "application/x-gzip"})
ANSWERS: Mapping[str, tuple[str, str]] = {
    "archive": ("application/gzip", "tar.gz"),
    "markdown": ("text/markdown; charset=utf-8", "md"),
}


class ExportQuery(BaseModel):
    """GET …/export."""

    model_config = ConfigDict(extra="ignore")

    format: Literal["archive", "markdown"] = "archive"
    children: bool = True


class ImportOptions(BaseModel):
    """POST …/import, as query or as fields; an unknown one is refused, it might be a `dry_run` misspelt."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False
    agent_id: str = ""


class ExportConsumer(SessionWriter):
    """GET /v1/sessions/{session_id}/export"""

    def __init__(self, *args: Any, workshop: Workshop, **kwargs: Any) -> None:  # Channels is untyped
        super().__init__(*args, **kwargs)
        self._workshop = workshop

    async def handle(self) -> None:
        asked = parse_query(ExportQuery, self.scope["query_string"])
        await self.body()
        plan = await self.process.pool.run(
            exporting.plan, self.principal, str(self.kwargs["session_id"]), with_children=asked.children
        )
        media_type, extension = ANSWERS[asked.format]
        await self.start(
            200,
            [
                (b"content-type", media_type.encode()),
                (
                    b"content-disposition",
                    f'attachment; filename="omnigent-{plan.session_id}.{extension}"'.encode(),
                ),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
            ],
        )
        await self.unless_disconnected(self._send(plan, is_archive=asked.format == "archive"))

    async def _send(self, plan: Plan, *, is_archive: bool) -> None:
        exporter = Exporter(self.process, self._workshop, self.principal, plan)
        async with aclosing(exporter.archive() if is_archive else exporter.markdown()) as pieces:
            async for data in pieces:
                if data:
                    await self.write(data)
        await self.finish()


class ImportConsumer(SessionWriter):
    """POST /v1/sessions/import"""

    def __init__(self, *args: Any, workshop: Workshop, **kwargs: Any) -> None:  # Channels is untyped
        super().__init__(*args, **kwargs)
        self._workshop = workshop

    async def handle(self) -> None:
        importing.require_person(self.principal)
        content_type = type_of(header_values(self.scope, b"content-type"))
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in GZIP and media_type != MULTIPART:
            message = f"Unsupported content type '{media_type}'; send application/gzip or {MULTIPART}"
            raise OmnigentError(ErrorCode.INVALID_INPUT, message, status=415, detail=message)
        options = parse_query(ImportOptions, self.scope["query_string"])
        with await self._spooled() as body, tempfile.TemporaryFile() as taken:
            archive: IO[bytes] = body
            if media_type == MULTIPART:
                fields = await self._workshop.run(receiving.receive, content_type, body, taken)
                archive = taken
                options = validate(
                    ImportOptions, {**fields, **options.model_dump(exclude_unset=True)}, where="body"
                )
            asked = Asked(archive=archive, agent_id=options.agent_id, is_dry_run=options.dry_run)
            answer = await import_.run(self.process, self._workshop, self.principal, asked, self.claim)
        await self.answer(answer)

    async def _spooled(self) -> IO[bytes]:
        rules = BodyRules(
            limit=settings.OMNIGENT_IMPORT_LIMIT,
            memory=settings.OMNIGENT_BODY_MEMORY,
            seconds=settings.OMNIGENT_UPLOAD_SECONDS,
        )
        try:
            return await read_body(self.scope, self.receive, rules)
        except OmnigentError as error:
            if error.message == TOO_LARGE_MESSAGE:
                message = f"The archive is larger than {rules.limit} bytes"
                raise OmnigentError(ErrorCode.PAYLOAD_TOO_LARGE, message, detail=message) from None
            raise

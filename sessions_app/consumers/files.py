"""`POST /v1/sessions/{session_id}/resources/files`: an upload, which may be large and slow to arrive."""

from typing import IO, Any

from django.conf import settings

from omnigent.api.asgi import header_values
from omnigent.api.body import BodyRules, read_body
from omnigent.api.errors import TOO_LARGE_MESSAGE
from omnigent.errors import OmnigentError
from sessions_app.consumers.sessions import SessionWriter, type_of
from sessions_app.files import intake, kinds
from sessions_app.files.workshop import Workshop
from sessions_app.flows import upload
from sessions_app.services import access
from sessions_app.services.access import Level


class UploadFileConsumer(SessionWriter):
    """Takes the `file` part of a multipart body."""

    def __init__(self, *args: Any, workshop: Workshop, **kwargs: Any) -> None:  # Channels is untyped
        super().__init__(*args, **kwargs)
        self._workshop = workshop

    async def handle(self) -> None:
        session_id = str(self.kwargs["session_id"])
        # Before the body: a stranger's upload is not worth reading.
        await self.process.pool.run(access.require, self.principal, session_id, Level.EDIT)
        content_type = type_of(header_values(self.scope, b"content-type"))
        if not content_type.lower().startswith(intake.MULTIPART):
            raise intake.no_part()
        with await self._spooled() as body:
            answer = await upload.upload(
                self.process, self._workshop, self.principal, session_id, content_type, body, self.claim
            )
        await self.answer(answer)

    async def _spooled(self) -> IO[bytes]:
        rules = BodyRules(
            limit=settings.OMNIGENT_UPLOAD_LIMIT,
            memory=settings.OMNIGENT_BODY_MEMORY,
            seconds=settings.OMNIGENT_UPLOAD_SECONDS,
        )
        try:
            return await read_body(self.scope, self.receive, rules)
        except OmnigentError as error:
            if error.message == TOO_LARGE_MESSAGE:
                kinds.too_large(min(kinds.LARGEST, rules.limit), "any file type")
            raise

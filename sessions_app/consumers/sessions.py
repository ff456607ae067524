"""Create, change and delete a session: one hop to commit, no thread while a host or runner is asked."""

from django.conf import settings

from omnigent.api.asgi import header_values
from omnigent.api.consumer import HttpConsumer
from omnigent.api.errors import TOO_LARGE_MESSAGE
from omnigent.api.validation import parse, parse_query
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.bodies import CreateSession, DeleteSession, ForkSession, GetSession, UpdateSession
from sessions_app.flows import archive, create, remove
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import access, receipts, updating, uploads
from sessions_app.services.creation import Asked
from sessions_app.services.receipts import Answer, Claim

KEY_HEADER = b"idempotency-key"


class SessionWriter(HttpConsumer):
    """What the writes of sessions share: the process, the receipt's claim, the answer."""

    @property
    def process(self) -> Process:
        """The process that serves this connection."""
        return running_process()

    def claim(self, body: bytes) -> Claim | None:
        """The request's idempotency key, bound to what it asks for."""
        keys = header_values(self.scope, KEY_HEADER)
        if not keys:
            return None
        target = f"{self.scope['method']} {self.scope['path']}?".encode() + self.scope["query_string"]
        key = keys[0].decode("latin-1") if len(keys) == 1 else ""
        return receipts.claim(self.principal, key, asked_for=target + b"\n" + body)

    async def answer(self, answer: Answer) -> None:
        """Send a kept or new answer."""
        await self.json(answer.status, answer.body)


class CreateSessionConsumer(SessionWriter):
    """POST /v1/sessions"""

    async def handle(self) -> None:
        content_type = type_of(header_values(self.scope, b"content-type"))
        is_upload = content_type.startswith(uploads.MULTIPART)
        try:
            raw = await self.body()
        except OmnigentError as error:
            raise (
                uploads.too_large() if is_upload and error.message == TOO_LARGE_MESSAGE else error
            ) from None
        if is_upload:
            asked = await self.process.pool.run(uploads.read, content_type, raw)
            # The boundary between the parts differs from try to try; what is asked for does not.
            raw = asked.body.model_dump_json().encode() + (asked.bundle or b"")
        else:
            refuse_other_types(content_type)
            body = parse(CreateSession, raw)
            asked = Asked(body=body, agent_id=body.agent_id)
        await self.answer(await create.create(self.process, self.principal, asked, self.claim(raw)))


class ForkSessionConsumer(SessionWriter):
    """POST /v1/sessions/{session_id}/fork"""

    async def handle(self) -> None:
        raw = await self.body()
        asked = Asked(body=parse(ForkSession, raw), source_id=self.kwargs["session_id"])
        await self.answer(await create.create(self.process, self.principal, asked, self.claim(raw)))


class UpdateSessionConsumer(SessionWriter):
    """PATCH /v1/sessions/{session_id}"""

    async def handle(self) -> None:
        raw = await self.body()
        wanted = parse_query(GetSession, self.scope["query_string"])
        body = parse(UpdateSession, raw)
        answer = await self.process.pool.run(
            updating.update,
            self.principal,
            self.kwargs["session_id"],
            body,
            self.claim(raw),
            with_usage=wanted.include_usage,
        )
        if body.archived:
            session_id = access.session_id_of(self.kwargs["session_id"])
            pause = settings.OMNIGENT_ARCHIVE_STOP_SECONDS
            cleanup = archive.settle_archived(
                self.process, session_id, pause, delete_worktree=bool(body.delete_worktree)
            )
            self.process.spawn(cleanup)
        await self.answer(answer)


class DeleteSessionConsumer(SessionWriter):
    """DELETE /v1/sessions/{session_id}"""

    async def handle(self) -> None:
        raw = await self.body()
        asked = parse_query(DeleteSession, self.scope["query_string"])
        answer = await remove.delete_session(
            self.process,
            self.principal,
            self.kwargs["session_id"],
            self.claim(raw),
            delete_branch=asked.delete_branch,
        )
        await self.answer(answer)


def type_of(values: list[bytes]) -> str:
    """The Content-Type header with its parameters; empty without one."""
    return values[0].strip().decode("latin-1") if values else ""


def refuse_other_types(header: str) -> None:
    """415 for anything but JSON."""
    content_type = header.partition(";")[0].strip().lower()
    if content_type == "application/json" or content_type.endswith("+json"):
        return
    message = f"Unsupported content type '{content_type}'; send application/json or {uploads.MULTIPART}"
    raise OmnigentError(ErrorCode.INVALID_INPUT, message, status=415, detail=message)

"""`POST /v1/sessions/{id}/events` and the resolution of elicitations."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from omnigent.api.asgi import header_values
from omnigent.api.consumer import HttpConsumer
from omnigent.api.validation import ValidationFailed, load_json, parse
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import inputs
from sessions_app.bodies import Verdict
from sessions_app.flows import commands, compact, retry, stop
from sessions_app.flows.policing import messages, reported, screening
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import inputs as services
from sessions_app.services import posting, verdicts
from sessions_app.services.policing.requests import GUARDED
from sessions_app.services.receipts import Receipts

ACCEPTED = 202

FollowUp = Callable[[Process, int, Receipts, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
FOLLOW_UPS: Mapping[str, FollowUp] = MappingProxyType(
    {"stop": stop.finish, "compact": compact.finish, "retry": retry.finish}
)


class InputConsumer(HttpConsumer):
    """What both routes share."""

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    @property
    def session_id(self) -> str:
        """The session that the path names."""
        return str(self.kwargs["session_id"])

    @property
    def has_key(self) -> bool:
        """Whether the request has an idempotency key."""
        return bool(header_values(self.scope, b"idempotency-key"))

    def receipts(self, raw: bytes, part: int = 0) -> Receipts:
        """The idempotency key of this request; each event of a batch has a receipt of its own under it."""
        keys = header_values(self.scope, b"idempotency-key")
        if len(keys) > 1:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Idempotency-Key must be given once")
        key = keys[0].decode("latin-1") if keys else None
        target = f"{self.scope['method']} {self.scope['path']}".encode()
        return Receipts(key, target + b"\n" + raw, part=part)


class PostEventConsumer(InputConsumer):
    """One event, or up to a hundred in order."""

    async def handle(self) -> None:
        raw = await self.body()
        envelope = read(raw)
        answers: list[Any] = []
        for number, given in enumerate(envelope.events):
            if reported.is_asked(given):
                answers.append(await reported.answer(self.process, self.principal, self.session_id, given))
                continue
            event = await screening.posted(self.process, self.principal, self.session_id, given)
            if not self.has_key and posting.is_gathered(event, size=len(raw)):
                posted = await self.gathered(event)
                answers.append(posted.answer)
                continue
            receipts = self.receipts(raw, number)
            posted = await self.posted(event, receipts)
            answers.append(await self.followed_up(posted, receipts))
        await self.json(ACCEPTED, orjson.dumps(answers if envelope.is_batch else answers[0]))

    async def posted(self, event: inputs.SessionEvent, receipts: Receipts) -> services.Posted:
        """Post with a transaction of its own."""
        process, who = self.process, self.principal
        if event.type == "slash_command":
            work = commands.post(process, who, self.session_id, event, receipts)
        else:
            work = messages.post(process, who, self.session_id, event, receipts)
        # What may wait for a person does not outlive who waits for it; everything else is carried through.
        return await (self.unless_disconnected(work) if event.type in GUARDED else work)

    async def followed_up(self, posted: services.Posted, receipts: Receipts) -> Any:
        """The answer, once what has to be done outside the transaction is done."""
        finish = FOLLOW_UPS.get(posted.then)
        if finish is None:
            return posted.answer
        return await finish(self.process, posted.session_pk, receipts, posted.answer)

    async def gathered(self, event: inputs.SessionEvent) -> services.Posted:
        """Post with the writer's next commit."""
        outcome: asyncio.Future[services.Posted] = asyncio.get_running_loop().create_future()
        unit = posting.PostUnit(
            principal=self.principal, session_id=self.session_id, event=event, outcome=outcome
        )
        self.process.writer.submit(unit)
        return await outcome


class ResolveConsumer(InputConsumer):
    """A verdict on an elicitation, by its address."""

    async def handle(self) -> None:
        raw = await self.body()
        verdict = parse(Verdict, raw)
        answer = await self.process.pool.run(
            verdicts.resolve,
            self.principal,
            self.session_id,
            elicitation_id=str(self.kwargs["elicitation_id"]),
            action=verdict.action,
            content=verdict.content,
            receipts=self.receipts(raw),
        )
        await self.json(ACCEPTED, orjson.dumps(answer))


def read(raw: bytes) -> inputs.Envelope:
    """The events of a body. Raises the contract's 422 and 400."""
    body = load_json(raw)
    try:
        return inputs.read_envelope(body)
    except inputs.EnvelopeError as error:
        raise ValidationFailed([dict(row) for row in error.detail]) from None
    except inputs.InputError as error:
        raise OmnigentError(ErrorCode.INVALID_INPUT, str(error)) from None

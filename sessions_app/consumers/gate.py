"""`POST …/mcp` and `POST …/policies/evaluate`: what a runner asks before it acts."""

from collections.abc import Mapping
from typing import Any

import orjson

from omnigent.api.asgi import header_values
from omnigent.api.consumer import HttpConsumer
from omnigent.api.validation import ValidationFailed, load_json, problem
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.consumers.sessions import type_of
from sessions_app.flows import gate
from sessions_app.flows.policing import asking
from sessions_app.process import Process
from sessions_app.running import running_process


class GateConsumer(HttpConsumer):
    """Reads a JSON object and awaits the answer while it watches the caller."""

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    async def read(self) -> Mapping[str, Any]:
        """The body, which must be an object."""
        body = load_json(await self.body())
        if not isinstance(body, Mapping):
            raise ValidationFailed(
                [problem("dict_type", ("body",), "Input should be a valid dictionary", body)]
            )
        return body


class McpConsumer(GateConsumer):
    """A tool call or listing, as JSON-RPC."""

    async def handle(self) -> None:
        request = await self.read()
        session_id = str(self.kwargs["session_id"])
        answer = await self.unless_disconnected(gate.call(self.process, self.principal, session_id, request))
        await self.json(200, orjson.dumps(answer))


class EvaluateConsumer(GateConsumer):
    """A verdict on one event."""

    async def handle(self) -> None:
        if type_of(header_values(self.scope, b"content-type")) != "application/json":
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Content-Type must be application/json", status=415)
        body = await self.read()
        session_id = str(self.kwargs["session_id"])
        answer = await self.unless_disconnected(asking.answer(self.process, self.principal, session_id, body))
        await self.json(200, orjson.dumps(answer))

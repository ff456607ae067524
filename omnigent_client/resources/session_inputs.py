"""What is posted to a session: messages, interrupts, verdicts, results of client tools."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from omnigent_client.decoding import read
from omnigent_client.errors import InvalidAnswerError
from omnigent_client.records.sessions import EventReceipt
from omnigent_client.resources.session_writing import SessionWriting
from omnigent_client.transport.http import Call, path_of

Content = str | Sequence[Mapping[str, Any]]
"""A message's text, or its content blocks."""

Action = Literal["accept", "decline", "cancel"]


class SessionInputs(SessionWriting):
    """Each method returns when the server has committed the event, not when it had its effect."""

    async def post_event(
        self, session_id: str, event: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> EventReceipt:
        """Post one event, `{"type": …, "data": {…}}`.

        A message that a policy wants approved is answered when somebody has decided.
        """
        return read(EventReceipt, await self._post(session_id, event, idempotency_key))

    async def post_events(
        self, session_id: str, events: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> tuple[EventReceipt, ...]:
        """Post up to 100 events, in order; each is taken or refused for itself."""
        answer = await self._post(session_id, list(events), idempotency_key)
        if not isinstance(answer, list):
            raise InvalidAnswerError("a batch of events is answered by a list")
        return tuple(read(EventReceipt, one) for one in answer)

    async def send_message(
        self,
        session_id: str,
        content: Content,
        *,
        model_override: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None,
    ) -> EventReceipt:
        """Say something; it starts a turn or steers the running one. `send` also waits for the answer."""
        event = message_event(content, model_override=model_override, tools=tools)
        return await self.post_event(session_id, event, idempotency_key=idempotency_key)

    async def interrupt(self, session_id: str) -> EventReceipt:
        """Cancel the running turn; nothing happens when none runs."""
        return await self.post_event(session_id, {"type": "interrupt", "data": {}})

    async def compact(self, session_id: str) -> EventReceipt:
        """Have the history summarised for the model; the transcript keeps everything."""
        return await self.post_event(session_id, {"type": "compact", "data": {}})

    async def stop(self, session_id: str) -> EventReceipt:
        """Interrupt, and end the runner's process."""
        return await self.post_event(session_id, {"type": "stop_session", "data": {}})

    async def retry(self, session_id: str) -> EventReceipt:
        """Bring back a session whose runner was lost; `recovered` says whether it works again."""
        return await self.post_event(session_id, {"type": "retry_session", "data": {}})

    async def slash_command(self, session_id: str, name: str, arguments: str = "") -> EventReceipt:
        """Start a turn with one of the agent's skills."""
        data = {"kind": "skill", "name": name, "arguments": arguments}
        return await self.post_event(session_id, {"type": "slash_command", "data": data})

    async def send_tool_output(self, session_id: str, call_id: str, output: str) -> EventReceipt:
        """The result of a tool call that this client runs."""
        data = {"call_id": call_id, "output": output}
        return await self.post_event(session_id, {"type": "function_call_output", "data": data})

    async def resolve_elicitation(
        self,
        session_id: str,
        elicitation_id: str,
        action: Action,
        content: Mapping[str, Any] | None = None,
    ) -> EventReceipt:
        """Answer an approval; `content` fills in a form. The first verdict holds, see `resolution`."""
        path = path_of("sessions", session_id, "elicitations", elicitation_id, "resolve")
        return read(EventReceipt, await self._write("POST", path, {"action": action, "content": content}))

    async def post_held(
        self, session_id: str, event: Mapping[str, Any], *, idempotency_key: str
    ) -> EventReceipt:
        """`post_event` for a message that may wait for a person: silence of the server is no failure.

        The key is the caller's, so that the same message can be asked about again after a restart.
        """
        return read(EventReceipt, await self._post(session_id, event, idempotency_key, held=True))

    async def _post(
        self, session_id: str, body: object, idempotency_key: str | None, *, held: bool = False
    ) -> Any:  # any JSON value
        call = Call(
            method="POST",
            path=path_of("sessions", session_id, "events"),
            json=body,
            idempotency_key=idempotency_key,
            held=held,
        )
        return await self._transport.json(call)


def message_event(
    content: Content,
    *,
    model_override: str | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """A user message as it is posted."""
    blocks = [{"type": "input_text", "text": content}] if isinstance(content, str) else list(content)
    event: dict[str, Any] = {"type": "message", "data": {"role": "user", "content": blocks}}
    if model_override is not None:
        event["model_override"] = model_override
    if tools:
        event["tools"] = list(tools)
    return event

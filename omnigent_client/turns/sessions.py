"""Following a session, and running whole turns."""

import asyncio
from collections.abc import Sequence

from omnigent_client.errors import TurnTimeout
from omnigent_client.resources.session_inputs import Content, SessionInputs
from omnigent_client.streaming.rules import StreamRules
from omnigent_client.streaming.stream import EventStream
from omnigent_client.transport.http import Transport
from omnigent_client.turns.callbacks import ClientTool, OnApproval, OnEvent
from omnigent_client.turns.run import Request, Turn, TurnRun


class Sessions(SessionInputs):
    """/v1/sessions: conversations with agents."""

    def __init__(self, transport: Transport, stream_rules: StreamRules) -> None:
        super().__init__(transport)
        self._stream_rules = stream_rules

    def stream(self, session_id: str, after: int | str | None = None, *, idle: bool = False) -> EventStream:
        """The session's events from now on, or from behind `after`: an event's `cursor`, a `resume_after`.

        `idle` marks a viewer who is not looking. See `EventStream` for reconnects and ends.
        """
        return EventStream(self._transport, session_id, after=after, idle=idle, rules=self._stream_rules)

    async def send(
        self,
        session_id: str,
        content: Content,
        *,
        model_override: str | None = None,
        tools: Sequence[ClientTool] = (),
        on_event: OnEvent | None = None,
        within: float | None = None,
    ) -> str:
        """Say something, wait for the turn to end, and return the agent's words.

        Approvals are left to whoever answers them elsewhere. Raises TurnFailed (TurnDenied when a policy
        refused the message), TurnInterrupted, and after `within` seconds TurnTimeout.
        """
        request = Request(content=content, model_override=model_override, tools=tools, on_event=on_event)
        return (await self.run_turn(session_id, request, within=within)).text

    async def ask(
        self,
        session_id: str,
        content: Content,
        on_approval: OnApproval,
        *,
        tools: Sequence[ClientTool] = (),
        on_event: OnEvent | None = None,
        within: float | None = None,
    ) -> str:
        """`send`, and `on_approval` is asked about every approval that comes up meanwhile.

        What it raises ends this call and leaves the approval pending.
        """
        request = Request(content=content, tools=tools, on_approval=on_approval, on_event=on_event)
        return (await self.run_turn(session_id, request, within=within)).text

    async def run_turn(self, session_id: str, request: Request, *, within: float | None = None) -> Turn:
        """What `send` and `ask` do, with everything that is known of the ended turn."""
        run = TurnRun(self, lambda after: self.stream(session_id, after), session_id)
        limit = asyncio.timeout(within)
        try:
            async with limit:
                return await run.run(request)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TurnTimeout(f"the turn did not end within {within} s", text=run.text) from error

"""One turn: subscribe, post the message, answer what it asks, and return when it ends."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Final

from omnigent_client.decoding import Record
from omnigent_client.errors import (
    AccessLostError,
    ApiError,
    ConnectionFailedError,
    NotFoundError,
    OmnigentError,
    TurnDenied,
    TurnFailed,
    TurnInterrupted,
)
from omnigent_client.events import Event
from omnigent_client.events.response import (
    ClientTaskCancel,
    ElicitationRequest,
    ElicitationResolved,
    OutputItemDone,
)
from omnigent_client.events.session import SessionHeartbeat, SessionStatus, StreamReset
from omnigent_client.records.sessions import EventReceipt
from omnigent_client.resources.elicitations import pending
from omnigent_client.resources.session_inputs import Content, SessionInputs, message_event
from omnigent_client.streaming.position import Position
from omnigent_client.streaming.stream import EventStream
from omnigent_client.turns.callbacks import (
    ClientTool,
    OnApproval,
    OnEvent,
    approval_of,
    invoke,
    run_tool,
    verdict_of,
)
from omnigent_client.turns.stored import RESTING
from omnigent_client.turns.tracker import End, TurnTracker

UNREAD_EVENTS: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn(Record):
    """A turn that ended well; `status` is completed, or incomplete when it hit a limit.

    `text` is everything that the agent said, `messages` the same message by message, `raw` the response.
    """

    text: str
    messages: tuple[str, ...] = ()
    status: str = "completed"
    item_id: str | None = None
    response_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a caller wants of a turn."""

    content: Content
    model_override: str | None = None
    tools: Sequence[ClientTool] = ()
    on_approval: OnApproval | None = None
    on_event: OnEvent | None = None
    idempotency_key: str | None = None


Signal = Event | EventReceipt | BaseException | None
"""What a turn waits for: an event, the post's answer, any failure; None is the end of the stream."""


class TurnRun:
    """One use only. Whatever goes wrong here, the turn itself is the server's and goes on there."""

    def __init__(
        self, inputs: SessionInputs, open_stream: Callable[[int | None], EventStream], session_id: str
    ) -> None:
        self._inputs = inputs
        self._open_stream = open_stream
        self._session_id = session_id
        self._signals: asyncio.Queue[Signal] = asyncio.Queue(UNREAD_EVENTS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._is_posted = False
        self._position = Position.after(None)
        self._tracker = TurnTracker(None)

    @property
    def text(self) -> str:
        """What the agent has said so far."""
        return self._tracker.words.text

    async def run(self, request: Request) -> Turn:
        """The ended turn. Raises TurnFailed, TurnInterrupted, and what requests and streams raise."""
        session = await self._inputs.get(self._session_id, include_items=False, include_liveness=False)
        tracker = self._tracker = TurnTracker(session.active_response_id)
        self._position = Position.after(session.resume_after)
        stream = self._open_stream(session.resume_after)
        try:
            self._start(self._read(stream))
            if session.resume_after is not None:
                self._post(request)
            for waiting in pending(session):
                self._approve(waiting, request)
            async with aclosing(self._take_signals()) as signals:
                async for signal in signals:
                    end = await self._react(signal, tracker, request)
                    if end is not None:
                        return self._turn(end, tracker)
            raise await self._why_ended()
        finally:
            await self._stop(stream)

    async def _take_signals(self) -> AsyncGenerator[Event | EventReceipt, None]:
        while (signal := await self._signals.get()) is not None:
            if isinstance(signal, BaseException):
                raise signal
            yield signal

    async def _react(
        self, signal: Event | EventReceipt, tracker: TurnTracker, request: Request
    ) -> End | None:
        if isinstance(signal, EventReceipt):
            return await self._accepted(signal, tracker, request)
        if not self._is_posted:
            # The first event of a server that cannot resume: from here on nothing is missed.
            self._post(request)
        if request.on_event is not None:
            await invoke(request.on_event, signal)
        self._assist(signal, tracker, request)
        if isinstance(signal, StreamReset) or (isinstance(signal, SessionHeartbeat) and not tracker.is_open):
            # Nothing has been heard for a while, or something was missed: ask instead.
            return await self._recover(tracker)
        if signal.cursor is not None:
            self._position = Position.after(signal.cursor)
        end = tracker.feed(signal)
        if end is None and isinstance(signal, SessionStatus) and signal.status in RESTING:
            # The turn's own events may all have come before the stream's beginning.
            return await (self._recover(tracker) if tracker.is_taken else self._look(tracker))
        return end

    async def _why_ended(self) -> OmnigentError:
        try:
            await self._inputs.get(self._session_id, include_items=False, include_liveness=False)
        except ApiError as error:
            return AccessLostError(self._session_id, error)
        return ConnectionFailedError(f"the stream of {self._session_id} ended before the turn did")

    async def _accepted(self, receipt: EventReceipt, tracker: TurnTracker, request: Request) -> End | None:
        if receipt.denied:
            reason = receipt.reason or "a policy refused the message"
            raise TurnDenied(reason, code="denied", error=receipt.raw, text=tracker.words.text)
        tracker.pending_id = receipt.pending_id
        end = tracker.accept(receipt.item_id or "")
        if end is None and not tracker.is_taken and request.idempotency_key is not None:
            # It may be an earlier message's receipt, whose turn ended before the stream's beginning.
            return await self._look(tracker, only_when_quiet=True)
        return end

    async def _look(self, tracker: TurnTracker, *, only_when_quiet: bool = False) -> End | None:
        """Whether the turn is over already; `only_when_quiet` leaves it to events that are still to come."""
        if not tracker.item_id:
            return None
        session = await self._inputs.get(self._session_id, include_items=False, include_liveness=False)
        is_quiet = session.resume_after == self._position.number
        if (only_when_quiet and not is_quiet) or tracker.is_pending(session):
            return None
        items = await self._inputs.all_items(self._session_id, after=tracker.item_id, limit=1000)
        # A message that was taken after the stream's beginning would have moved the log.
        is_earlier = is_quiet and session.resume_after is not None
        return tracker.look(session, items, is_earlier=is_earlier)

    async def _recover(self, tracker: TurnTracker) -> End | None:
        if not tracker.item_id:
            return None
        # The session first: what is stored between the two reads is then seen, and seen again on the stream.
        session = await self._inputs.get(self._session_id, include_items=False, include_liveness=False)
        if tracker.is_pending(session):
            return None
        items = await self._inputs.all_items(self._session_id, after=tracker.item_id, limit=1000)
        return tracker.recover(session, items)

    def _assist(self, event: Event, tracker: TurnTracker, request: Request) -> None:
        """Answer what the turn asks of this client."""
        if isinstance(event, ElicitationRequest):
            self._approve(event, request)
        elif isinstance(event, ElicitationResolved) and event.elicitation_id in self._answering:
            self._answering[event.elicitation_id].cancel()
        elif isinstance(event, OutputItemDone):
            self._call(event, tracker, request)
        elif isinstance(event, ClientTaskCancel):
            for call_id, task in self._calls.items():
                if event.call_id in (None, call_id):
                    task.cancel()

    def _approve(self, event: ElicitationRequest, request: Request) -> None:
        if request.on_approval is not None and event.elicitation_id not in self._answering:
            self._answering[event.elicitation_id] = self._start(self._answer(event, request.on_approval))

    async def _answer(self, event: ElicitationRequest, on_approval: OnApproval) -> None:
        approval = approval_of(event, self._session_id)
        verdict = verdict_of(await invoke(on_approval, approval))
        if verdict is None:
            return
        with suppress(NotFoundError):
            # It may be void by now, and that is no failure of the turn.
            await self._inputs.resolve_elicitation(
                approval.session_id, approval.elicitation_id, verdict.action, verdict.content
            )

    def _call(self, event: OutputItemDone, tracker: TurnTracker, request: Request) -> None:
        item = event.item
        call_id, name = str(item.get("call_id")), item.get("name")
        tool = next((tool for tool in request.tools if tool.name == name), None)
        is_asked = item.get("type") == "function_call" and item.get("status") == "action_required"
        if is_asked and tool is not None and call_id not in self._calls:
            self._calls[call_id] = self._start(self._serve(tool, call_id, str(item.get("arguments") or "")))

    async def _serve(self, tool: ClientTool, call_id: str, arguments: str) -> None:
        output = await run_tool(tool, arguments)
        await self._inputs.send_tool_output(self._session_id, call_id, output)

    def _post(self, request: Request) -> None:
        self._is_posted = True
        event = message_event(
            request.content,
            model_override=request.model_override,
            tools=[tool.spec for tool in request.tools],
        )
        self._start(self._deliver(event, request.idempotency_key or uuid.uuid4().hex))

    async def _deliver(self, event: dict[str, Any], key: str) -> None:
        # Held for as long as a policy waits for a person, who may be asked by this very turn.
        await self._signals.put(await self._inputs.post_held(self._session_id, event, idempotency_key=key))

    async def _read(self, stream: EventStream) -> None:
        async for event in stream:
            await self._signals.put(event)
        await self._signals.put(None)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._reported(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _reported(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # raised again by whoever waits for the turn
            await self._signals.put(error)

    async def _stop(self, stream: EventStream) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await stream.aclose()

    def _turn(self, end: End, tracker: TurnTracker) -> Turn:
        text, response_id = tracker.words.text, tracker.response_id
        if end.how == "failed":
            raise TurnFailed(
                str(end.error.get("message") or "the turn failed"),
                code=str(end.error.get("code") or ""),
                error=end.error,
                text=text,
                response_id=response_id,
            )
        if end.how == "cancelled":
            raise TurnInterrupted("the turn was interrupted", text=text, response_id=response_id)
        return Turn(
            text=text,
            messages=tracker.words.messages,
            status=end.how,
            item_id=tracker.item_id,
            response_id=response_id,
            raw=end.response,
        )

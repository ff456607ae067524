"""One turn of a Codex thread: its events become ours, its questions go to the desk."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import (
    ModelError,
    ModelRequest,
    ReasoningDelta,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.codex.memory import Transcript
from omnigent.runner.harnesses.codex.place import Place
from omnigent.runner.harnesses.codex.problems import failure_of
from omnigent.runner.harnesses.codex.prompt import input_of, text_input
from omnigent.runner.harnesses.codex.wire import Gone, Incoming, Refused
from omnigent.runner.harnesses.codex.workshop import Workshop
from omnigent.runner.harnesses.engine import Desk
from omnigent.runner.harnesses.failures import silent

_APPROVALS: Final = frozenset({"item/commandExecution/requestApproval", "item/fileChange/requestApproval"})
_OWN: Final = frozenset({"commandExecution", "fileChange"})
_TOOLS: Final = _OWN | {"dynamicToolCall"}
_ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "item/permissions/requestApproval": {"permissions": {}, "scope": "turn"},
    "item/tool/requestUserInput": {"answers": {}},
    "mcpServer/elicitation/request": {"action": "decline", "content": None, "_meta": None},
}


class Leg:
    """One run of Codex's loop, from `turn/start` to `turn/completed`; a turn that is repeated has several.

    `shown` tells whether text was streamed since the last tool, `has_acted` whether there was a tool, and
    `pending` holds input that came too late.
    """

    def __init__(
        self, place: Place, request: ModelRequest, desk: Desk, workshop: Workshop, transcript: Transcript
    ) -> None:
        self._place = place
        self._request = request
        self._desk = desk
        self._workshop = workshop
        self._transcript = transcript
        self._turn_id = ""
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble: asyncio.Queue[BaseException] = asyncio.Queue()
        self._speaking = ""
        self._counted: object = None
        self.shown = False
        self.has_acted = False
        self.pending: list[dict[str, Any]] = []

    async def run(self, user_input: list[dict[str, Any]]) -> AsyncGenerator[SampleEvent, None]:
        """Stream its events. Raises AttemptFailed, ModelError, Gone, and what the desk raises."""
        try:
            await self._start(user_input)
            while not self._ended:
                message = await self._next()
                if message.request_id is not None:
                    self._question(message)
                    # The desk is told of a tool before anything that comes after it is shown.
                    await asyncio.sleep(0)
                elif message.params.get("turnId", self._turn_id) == self._turn_id:
                    for event in self._events(message):
                        yield event
                    await self._progress(message)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> bool:
        """Interrupt what still runs; whether it has ended."""
        wire, seconds = self._place.wire, self._place.limits.stop_seconds
        if self._ended or not self._turn_id:
            return self._ended
        with contextlib.suppress(Gone, TimeoutError):
            async with asyncio.timeout(seconds):
                with contextlib.suppress(Refused):
                    await wire.call("turn/interrupt", self._named(turnId=self._turn_id), seconds=seconds)
                while not self._ended and (message := await wire.inbox.get()) is not None:
                    if message.request_id is not None:
                        await wire.refuse(message)
                    self._ended = self._is_end(message)
        return self._ended

    # -- what is said to Codex ---------------------------------------------------------------------------

    async def _start(self, user_input: list[dict[str, Any]]) -> None:
        request = self._request
        params = self._named(input=user_input, model=request.model, summary="auto")
        if request.reasoning_effort:
            params["effort"] = request.reasoning_effort
        call = asyncio.ensure_future(
            self._place.wire.call("turn/start", params, seconds=self._place.limits.call_seconds)
        )
        try:
            answer = await asyncio.shield(call)
        except asyncio.CancelledError:
            # The turn has begun all the same, and `stop` needs its id.
            with contextlib.suppress(Gone, Refused):
                self._turn_id = _id_of(await call)
            raise
        self._turn_id = _id_of(answer)

    def _named(self, **params: Any) -> dict[str, Any]:
        return {"threadId": self._place.thread_id, **params}

    async def _steer(self, user_input: list[dict[str, Any]]) -> None:
        """Hand input to the running turn; what it does not take starts the next leg."""
        params = self._named(expectedTurnId=self._turn_id, input=user_input)
        try:
            await self._place.wire.call("turn/steer", params, seconds=self._place.limits.call_seconds)
        except Refused:
            self.pending += user_input

    async def _pass_on_steers(self) -> None:
        messages = [
            {"type": "message", "role": "user", "content": message.get("content", [])}
            for message in self._desk.steers()
        ]
        self._transcript.add(messages)
        if user_input := input_of(messages, self._place.files):
            await self._steer(user_input)

    # -- what Codex says ---------------------------------------------------------------------------------

    async def _next(self) -> Incoming:
        """The next message. Raises what a tool of the desk raised, and an end of its patience."""
        limits, quiet = self._place.limits, 0.0
        while True:
            pause = min(limits.pulse_seconds, limits.silence_seconds)
            message = await self._wait(pause)
            if isinstance(message, BaseException):
                raise message
            if message is not None:
                return message
            quiet += pause
            is_working = bool(self._tasks) or self._workshop.is_busy
            # Codex itself notices a silence within an answer, at the same time.
            if not is_working and quiet >= limits.silence_seconds + pause:
                raise silent(limits.silence_seconds, opened=self.shown)
            await self._place.wire.call("thread/loaded/list", {}, seconds=limits.pulse_seconds)

    async def _wait(self, seconds: float) -> Incoming | BaseException | None:
        """A message, or trouble at the desk, or None after so many seconds. Raises Gone at the end."""
        wire = self._place.wire
        getting = asyncio.ensure_future(wire.inbox.get())
        trouble = asyncio.ensure_future(self._trouble.get())
        try:
            await asyncio.wait({getting, trouble}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if trouble.done():
                return trouble.result()
            if not getting.done():
                return None
            message = getting.result()
        finally:
            getting.cancel()
            trouble.cancel()
        if message is None:
            raise Gone(f"Codex has ended{wire.said()}")
        return message

    def _events(self, message: Incoming) -> Iterator[SampleEvent]:
        params, method = message.params, message.method
        if method == "item/agentMessage/delta" and (delta := str(params.get("delta") or "")):
            item_id = str(params.get("itemId"))
            if self._speaking not in {"", item_id}:
                # Two messages in a row would read as one broken sentence.
                yield TextDelta("\n\n")
            self._speaking, self.shown = item_id, True
            self._transcript.said(delta)
            yield TextDelta(delta)
        elif method == "item/reasoning/textDelta":
            yield ReasoningDelta(str(params.get("delta") or ""))
        elif method == "item/reasoning/summaryTextDelta":
            yield ReasoningDelta(str(params.get("delta") or ""), summary=True)
        elif method == "item/reasoning/summaryPartAdded" and params.get("summaryIndex"):
            yield ReasoningDelta("\n\n", summary=True)
        elif method == "thread/tokenUsage/updated":
            yield from self._usage(params.get("tokenUsage"))

    def _usage(self, usage: object) -> Iterator[SampleEvent]:
        if not isinstance(usage, Mapping) or usage.get("total") == self._counted:
            return
        self._counted, last = usage.get("total"), usage.get("last")
        if isinstance(last, Mapping):
            yield Usage(
                input_tokens=_count(last, "inputTokens"),
                output_tokens=_count(last, "outputTokens"),
                reasoning_tokens=_count(last, "reasoningOutputTokens"),
                cache_read_input_tokens=_count(last, "cachedInputTokens"),
                cache_creation_input_tokens=_count(last, "cacheWriteInputTokens"),
                context_tokens=_count(last, "totalTokens"),
                model=self._request.model,
            )

    async def _progress(self, message: Incoming) -> None:
        """Follow the items and the end of the turn. Raises AttemptFailed when it failed."""
        item = message.params.get("item")
        kind = item.get("type") if isinstance(item, Mapping) else None
        if message.method == "item/commandExecution/outputDelta":
            self._workshop.printed(str(message.params.get("itemId")), str(message.params.get("delta")))
        elif message.method == "item/started" and isinstance(item, Mapping) and kind in _TOOLS:
            self._speaking, self.shown, self.has_acted = "", False, True
            if kind in _OWN:
                self._workshop.begun(item)
        elif message.method == "item/completed" and isinstance(item, Mapping) and kind in _OWN:
            await self._workshop.ended(item)
            await self._pass_on_steers()
        elif self._is_end(message):
            self._ended = True
            self._judge(message.params["turn"])

    def _is_end(self, message: Incoming) -> bool:
        turn = message.params.get("turn")
        return (
            message.method == "turn/completed"
            and isinstance(turn, Mapping)
            and turn.get("id") == self._turn_id
        )

    def _judge(self, turn: Mapping[str, Any]) -> None:
        status, error = turn.get("status"), turn.get("error")
        if status == "completed":
            return
        told = error if isinstance(error, Mapping) else {"message": f"the turn is {status}"}
        raise failure_of(told, silence_seconds=self._place.limits.silence_seconds, opened=self.shown)

    # -- what Codex asks ---------------------------------------------------------------------------------

    def _question(self, question: Incoming) -> None:
        task = asyncio.create_task(self._answer(question), name=f"codex-{question.method}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: Incoming) -> None:
        try:
            await self._place.wire.answer(question, await self._answer_to(question))
        except NotImplementedError:
            await self._place.wire.refuse(question)
        except Exception as problem:  # noqa: BLE001  whatever it is, it ends the turn and not only this task
            self._trouble.put_nowait(problem)

    async def _answer_to(self, question: Incoming) -> Mapping[str, Any]:
        params = question.params
        if question.method == "item/tool/call":
            return await self._call(params)
        if question.method in _APPROVALS:
            verdict = await self._workshop.decide(params)
            if not verdict.is_allowed:
                # Codex tells the model only that somebody refused.
                await self._steer(text_input(f"[System: the tool was refused] {verdict.refusal}"))
            return {"decision": "accept" if verdict.is_allowed else "decline"}
        if question.method not in _ANSWERS:
            raise NotImplementedError
        return _ANSWERS[question.method]

    async def _call(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        call = ToolCall(
            call_id=str(params.get("callId")),
            name=str(params.get("tool")),
            arguments=json.dumps(params.get("arguments") or {}, ensure_ascii=False),
        )
        output = await self._desk.call(call)
        await self._pass_on_steers()
        return {"contentItems": [{"type": "inputText", "text": output}], "success": True}


def _id_of(answer: Mapping[str, Any]) -> str:
    turn = answer.get("turn")
    if not isinstance(turn, Mapping) or not turn.get("id"):
        raise ModelError("harness_error", "Codex did not name the turn that it started.")
    return str(turn["id"])


def _count(source: Mapping[str, Any], name: str) -> int:
    value = source.get(name)
    return value if isinstance(value, int) and value > 0 else 0

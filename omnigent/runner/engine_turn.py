"""One turn that a vendor's engine runs: announced, gated and kept like any other."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from omnigent.runner.announce import Announcer
from omnigent.runner.calls import Calls, TurnWorld, cleaned
from omnigent.runner.cleantext import clean
from omnigent.runner.gate import capped
from omnigent.runner.harnesses.base import (
    ApprovalRequest,
    ModelError,
    ModelRequest,
    ReasoningDelta,
    Retry,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.engine import Engine
from omnigent.runner.history import History
from omnigent.runner.policy_gate import (
    Verdict,
    llm_request_event,
    llm_response_event,
    tool_call_event,
    tool_result_event,
)
from omnigent.runner.turn import Fallbacks, TurnSettings, summed


class EngineTurn:
    """Runs once, and is the desk of its engine. Text and finished calls are kept however it ends."""

    def __init__(
        self,
        *,
        settings: TurnSettings,
        engine: Engine,
        history: History,
        announcer: Announcer,
        world: TurnWorld,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._history = history
        self._announcer = announcer
        self._world = world
        self._usage = Usage()
        self._calls = Calls(
            client_tools=settings.client_tools, history=history, announcer=announcer, world=world
        )
        self._text: list[str] = []
        self._answered = 0
        self._has_shown = False

    @property
    def unfinished(self) -> Sequence[ToolCall]:
        """The calls that an interrupt now would leave open."""
        return self._calls.unfinished

    async def run(self) -> None:
        """Raises ModelError or Declined; cancelling it interrupts the turn.

        Only completion is announced here; the other ends are the caller's to announce.
        """
        self._announcer.start()
        fallbacks = Fallbacks(self._settings)
        while True:
            request = replace(self._settings.request(self._history), model=fallbacks.model)
            try:
                answer = await self._run(request)
                break
            except ModelError as exc:
                retry = None if self._has_shown else fallbacks.after(exc)
                if retry is None:
                    raise
            await self._announcer.retry(retry)
        await self._review(request, answer)
        self._announcer.completed(self._usage)

    async def _run(self, request: ModelRequest) -> str:
        """What the engine said last. Raises ModelError."""
        if self._engine.samples_itself:
            verdict = await self.may_sample(request)
            if not verdict.is_allowed:
                raise ModelError("policy_denied", verdict.refusal)
        stream = self._engine.run(request, self)
        try:
            async for event in stream:
                await self._take(event)
        finally:
            answer = self._keep_text()
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        return answer

    async def _take(self, event: SampleEvent) -> None:
        self._has_shown = self._has_shown or isinstance(event, TextDelta | ReasoningDelta)
        if isinstance(event, TextDelta):
            delta = clean(event.text)
            self._text.append(delta)
            await self._announcer.text(delta)
        elif isinstance(event, ReasoningDelta):
            await self._announcer.reasoning(event)
        elif isinstance(event, Retry):
            await self._announcer.retry(event)
        elif isinstance(event, Usage):
            self._usage = summed(self._usage, event)

    async def _review(self, request: ModelRequest, answer: str) -> None:
        """Of a refused answer the refusal is kept, as on the server."""
        event = llm_response_event(
            request, self._settings.harness, text=answer, calls=self._answered, usage=self._usage
        )
        verdict = await self._world.evaluate(event)
        if not verdict.is_allowed and answer.strip():
            self._history.replace_text(f"[{verdict.refusal}]")

    def _keep_text(self) -> str:
        """Put what was said since the last call into the history; that text."""
        text = "".join(self._text)
        self._text.clear()
        self._history.add_text(text)
        return text

    # -- the desk --------------------------------------------------------------------------------------

    async def call(self, call: ToolCall) -> str:
        call = await self._open(call)
        return await self._calls.run(call)

    async def permit(self, call: ToolCall) -> Verdict:
        call = await self._open(call)
        return await self._world.evaluate(tool_call_event(call))

    async def settle(self, call: ToolCall, output: str) -> Verdict:
        call, output = cleaned(call), capped(clean(output))
        verdict = await self._world.evaluate(tool_result_event(call, output))
        if not verdict.is_allowed:
            output = f"[Result suppressed by policy: {verdict.reason}]"
        await self._world.tool_ran(call.name)
        await self._announcer.room()
        self._calls.settle(call, output)
        return verdict

    async def ask(self, request: ApprovalRequest) -> str:
        await self._announcer.approval_request(request)
        return await self._world.approve(request.elicitation_id)

    def steers(self) -> Sequence[Mapping[str, Any]]:
        messages = self._world.take_steers()
        if messages:
            # An engine that is run again would be told them as new ones.
            self._has_shown = True
            self._keep_text()
        for message in messages:
            self._history.add_message(message)
        return messages

    async def may_sample(self, request: ModelRequest) -> Verdict:
        return await self._world.evaluate(llm_request_event(request, self._settings.harness))

    async def _open(self, call: ToolCall) -> ToolCall:
        call = cleaned(call)
        self._keep_text()
        self._answered += 1
        self._has_shown = True
        self._calls.unfinished.append(call)
        await self._announcer.call(call, "in_progress")
        return call

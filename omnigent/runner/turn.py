"""One turn: sample, run the tools that the model asks for, and again until it is done."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Protocol

from omnigent.protocol.codec import FrameError, decode
from omnigent.runner.announce import Announcer
from omnigent.runner.approvals import Declined
from omnigent.runner.cleantext import clean
from omnigent.runner.gate import capped
from omnigent.runner.harnesses.base import (
    ApprovalRequest,
    Finished,
    Model,
    ModelError,
    ModelRequest,
    ReasoningDelta,
    Retry,
    SampleEvent,
    TextDelta,
    ToolCall,
    ToolSchema,
    Usage,
)
from omnigent.runner.history import History
from omnigent.runner.policy_gate import Verdict, llm_request_event, llm_response_event

_SUMMED: Final = (
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnSettings:
    """What this turn runs with."""

    agent: str
    harness: str
    model: str
    instructions: str
    tools: Sequence[ToolSchema]
    client_tools: Sequence[ToolSchema] = ()
    reasoning_effort: str | None = None
    max_samples: int = 1000


class TurnWorld(Protocol):
    """What a turn needs of its session."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any], operation_id: str) -> str: ...

    async def cancel_tool(self, operation_id: str) -> None: ...

    async def client_result(self, call_id: str) -> str: ...

    async def approve(self, elicitation_id: str) -> str: ...

    async def evaluate(self, event: Mapping[str, Any]) -> Verdict: ...

    async def tool_ran(self, name: str) -> None: ...

    def take_steers(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(slots=True)
class _Sample:
    """What one model request gave so far; `usage` is None when the model told none."""

    text: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage | None = None


class Turn:
    """Runs once. Partial text and finished calls are in the history however it ends."""

    def __init__(
        self,
        *,
        settings: TurnSettings,
        model: Model,
        history: History,
        announcer: Announcer,
        world: TurnWorld,
    ) -> None:
        self._settings = settings
        self._model = model
        self._history = history
        self._announcer = announcer
        self._world = world
        self._usage = Usage()
        self._client_names = {tool.name for tool in settings.client_tools}
        self.unfinished: list[ToolCall] = []

    async def run(self) -> None:
        """Raises ModelError or Declined; cancelling it interrupts the turn.

        Only completion is announced here; the other ends are the caller's to announce.
        """
        self._announcer.start()
        for _ in range(self._settings.max_samples):
            request = self._request()
            await self._ask_policy(request)
            sample = await self._sample(request)
            is_allowed = await self._review(request, sample)
            if not sample.calls or not is_allowed:
                self._announcer.completed(self._usage)
                return
            await self._run_calls(sample.calls)
            for message in self._world.take_steers():
                self._history.add_message(message)
        raise ModelError(
            "too_many_steps", f"The turn took {self._settings.max_samples} steps without an end."
        )

    def _request(self) -> ModelRequest:
        settings = self._settings
        return ModelRequest(
            model=settings.model,
            instructions=settings.instructions,
            items=self._history.model_input(),
            tools=(*settings.tools, *settings.client_tools),
            reasoning_effort=settings.reasoning_effort,
        )

    async def _ask_policy(self, request: ModelRequest) -> None:
        """A refused model request fails the turn as `policy_denied`, with the policy's reason as message."""
        verdict = await self._world.evaluate(llm_request_event(request, self._settings.harness))
        if not verdict.is_allowed:
            raise ModelError("policy_denied", verdict.refusal)

    async def _review(self, request: ModelRequest, sample: _Sample) -> bool:
        """Whether the turn may act on what the model said.

        Of a refused answer nothing is kept: the refusal stands in the place of its text, here as on the
        server, its calls are answered by it without running, and the turn is over.
        """
        text = "".join(sample.text)
        event = llm_response_event(
            request, self._settings.harness, text=text, calls=len(sample.calls), usage=sample.usage
        )
        verdict = await self._world.evaluate(event)
        if verdict.is_allowed:
            return True
        if text.strip():
            self._history.replace_text(f"[{verdict.refusal}]")
        for call in list(sample.calls):
            await self._announcer.room()
            self._settle(call, verdict.refusal)
        return False

    # -- sampling ----------------------------------------------------------------------------------

    async def _sample(self, request: ModelRequest) -> _Sample:
        sample = _Sample()
        self.unfinished = sample.calls
        stream = self._model.sample(request)
        try:
            async for event in stream:
                if isinstance(event, TextDelta):
                    delta = clean(event.text)
                    await self._announcer.text(delta)
                    sample.text.append(delta)
                elif not await self._other(event, sample):
                    break
        finally:
            self._history.add_text("".join(sample.text))
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        return sample

    async def _other(self, event: SampleEvent, sample: _Sample) -> bool:
        """Whether the sample goes on."""
        if isinstance(event, ToolCall):
            call = ToolCall(call_id=event.call_id, name=clean(event.name), arguments=clean(event.arguments))
            sample.calls.append(call)
            await self._announcer.call(call, "in_progress")
        elif isinstance(event, ReasoningDelta):
            await self._announcer.reasoning(event)
        elif isinstance(event, Retry):
            await self._announcer.retry(event)
        elif isinstance(event, Usage):
            self._usage = _sum(self._usage, event)
            sample.usage = event
        elif isinstance(event, ApprovalRequest):
            return await self._approve(event)
        else:
            assert isinstance(event, Finished | TextDelta)
        return True

    async def _approve(self, request: ApprovalRequest) -> bool:
        await self._announcer.approval_request(request)
        action = await self._world.approve(request.elicitation_id)
        if action == "decline":
            raise Declined(request.elicitation_id)
        return action == "accept"

    # -- tools -------------------------------------------------------------------------------------

    async def _run_calls(self, calls: Sequence[ToolCall]) -> None:
        """All at once; each is announced when it has finished, in the order in which they finish."""
        self.unfinished = list(calls)
        tasks = [asyncio.create_task(self._run_call(call), name=f"call-{call.name}") for call in calls]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_call(self, call: ToolCall) -> None:
        if call.name in self._client_names:
            await self._announcer.call(call, "action_required")
            output = await self._world.client_result(call.call_id)
        else:
            output = await self._execute(call)
        output = capped(clean(output))
        await self._world.tool_ran(call.name)
        await self._announcer.room()
        self._settle(call, output)

    def _settle(self, call: ToolCall, output: str) -> None:
        """Without a pause: an interrupt finds the call either unfinished or told in full."""
        self.unfinished.remove(call)
        self._history.add_call({"call_id": call.call_id, "name": call.name, "arguments": call.arguments})
        self._history.add_output(call.call_id, output)
        self._announcer.finished(call, output)

    async def _execute(self, call: ToolCall) -> str:
        try:
            arguments = decode(call.arguments or "{}")
        except FrameError as exc:
            return f"Error: the arguments are not valid JSON: {exc}"
        if not isinstance(arguments, dict):
            return "Error: the arguments must be a JSON object"
        operation_id = f"mcpop_{secrets.token_hex(16)}"
        try:
            return await self._world.call_tool(call.name, arguments, operation_id)
        except (asyncio.CancelledError, Declined):
            await asyncio.shield(self._world.cancel_tool(operation_id))
            raise


def _sum(so_far: Usage, sample: Usage) -> Usage:
    values: dict[str, Any] = {field.name: getattr(sample, field.name) for field in fields(Usage)}
    for name in _SUMMED:
        values[name] += getattr(so_far, name)
    return Usage(**values)

"""One turn: sample, run the tools that the model asks for, and again until it is done."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Protocol

from omnigent.runner.announce import Announcer
from omnigent.runner.approvals import Declined
from omnigent.runner.calls import Calls, TurnWorld, cleaned
from omnigent.runner.cleantext import clean
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
from omnigent.runner.harnesses.patience import Patience
from omnigent.runner.history import History
from omnigent.runner.policy_gate import llm_request_event, llm_response_event

_SUMMED: Final = (
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


FALLS_BACK: Final = frozenset(
    {"not_found", "permission_denied", "provider_unavailable", "quota_exceeded", "rate_limited"}
)
"""Failures that another model may not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnSettings:
    """What this turn runs with. `fallback_models` come in when the model cannot be had."""

    agent: str
    harness: str
    model: str
    instructions: str
    tools: Sequence[ToolSchema]
    client_tools: Sequence[ToolSchema] = ()
    reasoning_effort: str | None = None
    max_samples: int = 1000
    fallback_models: Sequence[str] = ()
    patience: Patience = field(default_factory=Patience)

    def request(self, history: History) -> ModelRequest:
        """All that the model is to see of the session now."""
        return ModelRequest(
            model=self.model,
            instructions=self.instructions,
            items=history.model_input(),
            tools=(*self.tools, *self.client_tools),
            reasoning_effort=self.reasoning_effort,
        )


class Fallbacks:
    """Which model a turn asks: the first that can be had, and the same one from then on."""

    def __init__(self, settings: TurnSettings) -> None:
        self.model = settings.model
        self._names = [name for name in dict.fromkeys(settings.fallback_models) if name != settings.model]
        self._tried = 0

    def after(self, failure: ModelError) -> Retry | None:
        """Go on to the next model, if one is left that may not fail so; what is told of it."""
        if failure.code not in FALLS_BACK or self._tried == len(self._names):
            return None
        self.model = self._names[self._tried]
        self._tried += 1
        return Retry(
            attempt=self._tried,
            max_attempts=len(self._names),
            delay_seconds=0.0,
            code=failure.code,
            message=f"{failure.message} Going on with the model {self.model}.",
        )


class TurnContext(Protocol):
    """Keeps what is sent within the model's context window."""

    async def fit(self, request: ModelRequest, *, overflowed: bool = False) -> ModelRequest: ...

    def learn(self, request: ModelRequest, usage: Usage) -> None: ...


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
        context: TurnContext,
    ) -> None:
        self._settings = settings
        self._model = model
        self._history = history
        self._announcer = announcer
        self._world = world
        self._context = context
        self._usage = Usage()
        self._is_shortened = False
        self._fallbacks = Fallbacks(settings)
        self._has_shown = False
        self._calls = Calls(
            client_tools=settings.client_tools, history=history, announcer=announcer, world=world
        )

    @property
    def unfinished(self) -> Sequence[ToolCall]:
        """The calls that an interrupt now would leave open."""
        return self._calls.unfinished

    async def run(self) -> None:
        """Raises ModelError or Declined; cancelling it interrupts the turn.

        Only completion is announced here; the other ends are the caller's to announce.
        """
        self._announcer.start()
        for _ in range(self._settings.max_samples):
            request, sample = await self._answer()
            is_allowed = await self._review(request, sample)
            if not sample.calls or not is_allowed:
                self._announcer.completed(self._usage)
                return
            await self._calls.run_all(sample.calls)
            for message in self._world.take_steers():
                self._history.add_message(message)
        raise ModelError(
            "too_many_steps", f"The turn took {self._settings.max_samples} steps without an end."
        )

    async def _answer(self) -> tuple[ModelRequest, _Sample]:
        """What was sent in the end, and what the model said: another one, where it cannot be had."""
        while True:
            request = replace(self._settings.request(self._history), model=self._fallbacks.model)
            try:
                return await self._answer_of(await self._context.fit(request))
            except ModelError as exc:
                retry = None if self._has_shown else self._fallbacks.after(exc)
                if retry is None:
                    raise
            await self._announcer.retry(retry)

    async def _answer_of(self, request: ModelRequest) -> tuple[ModelRequest, _Sample]:
        """The same of one model: what is too long for it is made shorter, once."""
        await self._ask_policy(request)
        try:
            return request, await self._sample(request)
        except ModelError as exc:
            if exc.code != "context_length_exceeded" or self._is_shortened:
                raise
        self._is_shortened = True
        shorter = await self._context.fit(request, overflowed=True)
        await self._ask_policy(shorter)
        return shorter, await self._sample(shorter)

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
            self._calls.settle(call, verdict.refusal)
        return False

    # -- sampling ----------------------------------------------------------------------------------

    async def _sample(self, request: ModelRequest) -> _Sample:
        sample, self._has_shown = _Sample(), False
        self._calls.unfinished = sample.calls
        stream = self._model.sample(request)
        try:
            async for event in stream:
                self._has_shown = self._has_shown or isinstance(event, TextDelta | ReasoningDelta | ToolCall)
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
        if sample.usage is not None:
            self._context.learn(request, sample.usage)
        return sample

    async def _other(self, event: SampleEvent, sample: _Sample) -> bool:
        """Whether the sample goes on."""
        if isinstance(event, ToolCall):
            call = cleaned(event)
            sample.calls.append(call)
            await self._announcer.call(call, "in_progress")
        elif isinstance(event, ReasoningDelta):
            await self._announcer.reasoning(event)
        elif isinstance(event, Retry):
            await self._announcer.retry(event)
        elif isinstance(event, Usage):
            self._usage = summed(self._usage, event)
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


def summed(so_far: Usage, sample: Usage) -> Usage:
    """What both took together; model and context are those of the later one."""
    values: dict[str, Any] = {field.name: getattr(sample, field.name) for field in fields(Usage)}
    for name in _SUMMED:
        values[name] += getattr(so_far, name)
    return Usage(**values)

"""The engine: one run of the vendor's loop for each turn, which is told the whole conversation every time."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from agents import Agent, Model, ModelSettings, Runner
from agents.exceptions import AgentsException, MaxTurnsExceeded
from agents.run_config import RunConfig
from openai.types.shared import Reasoning

from omnigent.runner.harnesses import base
from omnigent.runner.harnesses.base import Finished, ModelError, ModelRequest, SampleEvent
from omnigent.runner.harnesses.engine import Desk, EngineSettings
from omnigent.runner.harnesses.failures import AttemptFailed
from omnigent.runner.harnesses.openai_agents.models import vendor_model
from omnigent.runner.harnesses.openai_agents.progress import Progress
from omnigent.runner.harnesses.openai_agents.steering import Steering
from omnigent.runner.harnesses.openai_agents.tools import Tools
from omnigent.runner.harnesses.openai_agents.watching import WatchedModel
from omnigent.runner.harnesses.openai_client import OpenAIConnection, effort_of
from omnigent.runner.harnesses.responses_wire import input_of
from omnigent.runner.harnesses.retry import RetryLoop

MAX_STEPS: Final = 1000
_NO: Final = frozenset({"false", "no", "0"})


class OpenAIAgents:
    """An `Engine`. It keeps only a connection from turn to turn, so that a turn may follow any other.

    `use_responses: false` in the agent's `executor.config` has it speak Chat Completions.
    """

    samples_itself = False

    def __init__(self, settings: EngineSettings, *, retry: RetryLoop | None = None) -> None:
        reach = base.ModelSettings(
            api_key=settings.api_key,
            base_url=settings.base_url,
            timeout_seconds=settings.timeout_seconds,
            max_retries=settings.patience.max_retries,
            backoff_base_seconds=settings.patience.backoff_base_seconds,
            backoff_max_seconds=settings.patience.backoff_max_seconds,
            has_jitter=settings.patience.jitter,
            retried_statuses=settings.patience.statuses,
        )
        self._connection = OpenAIConnection(reach)
        self._retry = retry or RetryLoop(reach)
        self._speaks_chat = settings.config.get("use_responses", "true").lower() in _NO

    async def run(self, request: ModelRequest, desk: Desk) -> AsyncGenerator[SampleEvent, None]:
        """Stream one turn. Whatever ends it early ends the vendor's loop and its tools too."""
        progress = Progress()
        tools = Tools(request, desk, progress)
        driving = asyncio.create_task(self._drive(request, desk, progress, tools), name="agents-loop")
        driving.add_done_callback(lambda _: progress.end())
        try:
            async for event in progress.events():
                yield event
        finally:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await tools.close()
        if progress.failure is not None:
            raise progress.failure
        driving.result()
        yield Finished("stop")

    async def close(self) -> None:
        await self._connection.close()

    async def _drive(self, request: ModelRequest, desk: Desk, progress: Progress, tools: Tools) -> None:
        try:
            await self._loop(request, desk, progress, tools)
        except ModelError:
            raise
        except AttemptFailed as failure:
            raise ModelError(failure.code, failure.message) from failure
        except MaxTurnsExceeded as problem:
            message = f"The turn took {MAX_STEPS} steps without an end."
            raise ModelError("too_many_steps", message) from problem
        except Exception as problem:
            # The package is foreign code; whatever it raises, the turn must end with words.
            is_understood = isinstance(problem, AgentsException)
            code = "malformed_stream" if is_understood else "harness_error"
            raise ModelError(code, AttemptFailed(code, str(problem)).message) from problem

    async def _loop(self, request: ModelRequest, desk: Desk, progress: Progress, tools: Tools) -> None:
        steering = Steering(desk)
        agent: Agent[Any] = Agent(
            name="agent",
            instructions=request.instructions or None,
            model=self._model(request, desk, progress, tools),
            model_settings=_settings_of(request),
            tools=tools.offered(),
        )
        config = RunConfig(
            tracing_disabled=True,
            trace_include_sensitive_data=False,
            call_model_input_filter=steering.input,
            tool_not_found_behavior="return_error_to_model",
            tool_error_formatter=tools.answer_unknown,
        )
        result = Runner.run_streamed(agent, input_of(request.items), max_turns=MAX_STEPS, run_config=config)
        try:
            # What is shown comes from the watched model, which knows of retries; this only keeps it going.
            async for _ in result.stream_events():
                pass
        finally:
            result.cancel()
            if result.run_loop_task is not None:
                await asyncio.gather(result.run_loop_task, return_exceptions=True)

    def _model(self, request: ModelRequest, desk: Desk, progress: Progress, tools: Tools) -> Model:
        return WatchedModel(
            vendor_model(request.model, self._connection.client(), speaks_chat=self._speaks_chat),
            request=request,
            desk=desk,
            progress=progress,
            tools=tools,
            connection=self._connection,
            retry=self._retry,
        )


def _settings_of(request: ModelRequest) -> ModelSettings:
    """Nothing is stored at the provider, so that reasoning has to travel with the requests of the turn."""
    effort = effort_of(request)
    return ModelSettings(
        reasoning=Reasoning(effort=effort, summary="auto") if effort else None,
        response_include=["reasoning.encrypted_content"] if effort else None,
        max_tokens=request.max_output_tokens,
        include_usage=True,
        store=False,
    )

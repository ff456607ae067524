"""The model that the loop is given: asks the policies before each request and shows an answer as it comes."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from agents import Model
from agents.exceptions import ModelBehaviorError
from agents.items import ModelResponse
from openai.types.responses import Response, ResponseCompletedEvent

from omnigent.runner.harnesses import fields
from omnigent.runner.harnesses.base import (
    Finished,
    ModelError,
    ModelRequest,
    SampleEvent,
    ToolCall,
)
from omnigent.runner.harnesses.draining import drain
from omnigent.runner.harnesses.engine import Desk
from omnigent.runner.harnesses.failures import interrupted, unusable
from omnigent.runner.harnesses.openai_agents.models import VendorModel
from omnigent.runner.harnesses.openai_agents.progress import Progress
from omnigent.runner.harnesses.openai_agents.tools import Tools
from omnigent.runner.harnesses.openai_client import OpenAIConnection
from omnigent.runner.harnesses.responses_wire import Answer
from omnigent.runner.harnesses.retry import RetryLoop


class WatchedModel(Model):
    """One turn's model. The loop gets each response when it is whole, and nothing of a failed attempt."""

    def __init__(
        self,
        inner: VendorModel,
        *,
        request: ModelRequest,
        desk: Desk,
        progress: Progress,
        tools: Tools,
        connection: OpenAIConnection,
        retry: RetryLoop,
    ) -> None:
        self._inner = inner
        self._request = request
        self._desk = desk
        self._progress = progress
        self._tools = tools
        self._connection = connection
        self._retry = retry
        self._taken = {str(item["call_id"]) for item in request.items if "call_id" in item}
        self._response: Response | None = None

    async def get_response(self, *arguments: Any, **options: Any) -> ModelResponse:
        raise NotImplementedError("every turn is streamed")

    async def stream_response(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        """One request with its repetitions; `arguments` begin with the instructions and the input."""
        try:
            verdict = await self._desk.may_sample(replace(self._request, items=arguments[1]))
            if not verdict.is_allowed:
                raise ModelError("policy_denied", verdict.refusal)
            async for event in self._retry.run(lambda: self._attempt(arguments, options)):
                if not isinstance(event, ToolCall | Finished):
                    await self._progress.show(event)
        except ModelError as problem:
            self._progress.fail(problem)
            raise
        assert self._response is not None
        yield _completed(self._response)

    async def _attempt(
        self, arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> AsyncGenerator[SampleEvent, None]:
        """One request. Its response is in `_response` when it has ended well."""
        answer, items = Answer(), list[Any]()
        self._inner.opened = False
        stream: Any = self._inner.stream_response(*arguments, **options)
        async with aclosing(stream):
            while not answer.ended:
                event = await self._next(stream, is_first=not items)
                with self._connection.failures(opened=True):
                    for seen in answer.read(event):
                        yield seen
                items.append(event)
            with self._connection.failures(opened=True):
                self._response = self._whole(event, items)
            await drain(stream)

    async def _next(self, stream: Any, *, is_first: bool) -> Any:
        """The stream's next event; raises AttemptFailed when it has none."""
        try:
            event = await anext(stream, None)
        except ModelBehaviorError as problem:
            if self._inner.reason == "length" and self._inner.so_far is not None:
                # Cut before its first word: an answer without content, like that of other providers.
                return _completed(self._inner.so_far)
            raise unusable(str(problem), opened=True) from problem
        except Exception:
            with self._connection.failures(opened=self._inner.opened):
                raise
        if event is None and is_first:
            raise unusable("the answer is not an event stream", opened=True)
        if event is None or (fields.text(event, "type") == "response.completed" and not self._inner.reason):
            raise interrupted("the stream ended before its last event")
        return event

    def _whole(self, terminal: Any, events: list[Any]) -> Response:
        """The response with every finished item, and its calls under ids of their own."""
        response: Response = terminal.response
        done = [event.item for event in events if event.type == "response.output_item.done"]
        output: list[Any] = fields.sequence(response, "output") or done
        response.output = [item for item in output if fields.child(item, "status") != "incomplete"]
        for item in response.output:
            if item.type == "function_call":
                item.call_id = self._free_id(item.call_id)
                call = ToolCall(call_id=item.call_id, name=item.name, arguments=item.arguments or "{}")
                self._tools.asked(call)
        return response

    def _free_id(self, call_id: str) -> str:
        """The provider's id, unless it is missing or, as some number them from 0 each time, already used."""
        if not call_id or call_id in self._taken:
            call_id = f"call_{uuid.uuid4().hex}"
        self._taken.add(call_id)
        return call_id


def _completed(response: Response) -> ResponseCompletedEvent:
    return ResponseCompletedEvent.model_construct(
        type="response.completed", response=response, sequence_number=0
    )

"""The `openai-responses` harness: samples from OpenAI's Responses API, streaming and without stored state."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from openai import omit

from omnigent.runner.harnesses.base import ModelRequest, ModelSettings, SampleEvent
from omnigent.runner.harnesses.draining import drain
from omnigent.runner.harnesses.failures import interrupted, require_event_stream
from omnigent.runner.harnesses.openai_client import OpenAIConnection, effort_of, parameters_of
from omnigent.runner.harnesses.responses_wire import Answer, input_of
from omnigent.runner.harnesses.retry import RetryLoop


class OpenAIResponses:
    """A `Model` over `POST /responses`. The provider is asked not to store anything."""

    def __init__(self, settings: ModelSettings, *, retry: RetryLoop | None = None) -> None:
        self._connection = OpenAIConnection(settings)
        self._retry = retry or RetryLoop(settings)

    def sample(self, request: ModelRequest) -> AsyncIterator[SampleEvent]:
        return self._retry.run(lambda: self._attempt(request))

    async def close(self) -> None:
        await self._connection.close()

    async def _attempt(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        connection = self._connection
        effort = effort_of(request)
        with connection.failures(opened=False):
            stream = await connection.client().responses.create(
                model=request.model,
                instructions=request.instructions or omit,
                reasoning={"effort": effort, "summary": "auto"} if effort else omit,
                max_output_tokens=request.max_output_tokens or omit,
                store=False,
                stream=True,
                # What is named here is sent as it is. As arguments, the library would walk through every
                # item on the event loop and compare it with each type that an item can have: 0.4 ms for each.
                extra_body={**_spoken(request), **connection.extra_body},
            )
        answer = Answer()
        with connection.failures(opened=True):
            async with stream:
                require_event_stream(stream.response.headers)
                async for event in stream:
                    for seen in answer.read(event):
                        yield seen
                    if answer.ended:
                        break
                if answer.ended:
                    await drain(stream)
                    return
        raise interrupted("the stream ended before response.completed")


def _spoken(request: ModelRequest) -> dict[str, Any]:
    """The parts of the request's body that grow with the conversation and the tools."""
    tools = _tools(request)
    return {"input": input_of(request.items), **({"tools": tools} if tools else {})}


def _tools(request: ModelRequest) -> list[Any]:
    # Strict schemas are the API's default and would refuse any tool with an optional parameter.
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": parameters_of(tool.parameters),
            "strict": False,
        }
        for tool in request.tools
    ]

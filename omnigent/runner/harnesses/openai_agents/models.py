"""The vendor's models, and what they leave unsaid: whether an answer began, and whether it had an end.

They override methods that are private to the package, whose version is pinned.
"""

from collections.abc import AsyncIterator
from typing import Any

from agents import OpenAIChatCompletionsModel, OpenAIResponsesModel
from openai import AsyncOpenAI
from openai.types.responses import Response

from omnigent.runner.harnesses import fields
from omnigent.runner.harnesses.failures import require_event_stream


class ResponsesModel(OpenAIResponsesModel):
    """Speaks the Responses API, whose last event tells that an answer is whole."""

    opened = False
    reason = "stop"
    so_far: Response | None = None

    async def _fetch_response(self, *arguments: Any, **options: Any) -> Any:
        self.opened = False
        fetched = await super()._fetch_response(*arguments, **options)
        self.opened = True
        return fetched

    def _build_response_create_kwargs(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        # In the extra body they are sent as they are. Elsewhere the library would walk through every item on
        # the event loop and compare it with each type that an item can have: 0.4 ms for each.
        made = super()._build_response_create_kwargs(*arguments, **options)
        spoken = {name: made.pop(name) for name in ("input", "tools") if isinstance(made[name], list)}
        return {**made, "extra_body": {**spoken, **(made.get("extra_body") or {})}}


class ChatModel(OpenAIChatCompletionsModel):
    """Speaks Chat Completions. `reason` is the finish reason, which the package asks of OpenAI's own servers
    only; `so_far` is the response that the package builds from the chunks.
    """

    opened = False
    reason = ""
    so_far: Response | None = None

    async def _fetch_response(self, *arguments: Any, **options: Any) -> Any:
        self.opened, self.reason = False, ""
        self.so_far, stream = await super()._fetch_response(*arguments, **options)
        self.opened = True
        require_event_stream(stream.response.headers)
        return self.so_far, _Chunks(stream, self)


class _Chunks:
    """A stream of chunks that tells its model the finish reason."""

    def __init__(self, stream: Any, model: ChatModel) -> None:
        self._stream = stream
        self._model = model
        self.response = stream.response

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for chunk in self._stream:
            for choice in fields.sequence(chunk, "choices"):
                self._model.reason = fields.optional_text(choice, "finish_reason") or self._model.reason
            yield chunk

    async def close(self) -> None:
        await self._stream.close()


VendorModel = ResponsesModel | ChatModel


def vendor_model(name: str, client: AsyncOpenAI, *, speaks_chat: bool) -> VendorModel:
    return ChatModel(name, client) if speaks_chat else ResponsesModel(name, client)

"""The adapter: a `Model` that says the last message again, in capitals."""

from collections.abc import AsyncIterator

from omnigent.runner.harnesses.base import (
    Finished,
    ModelRequest,
    ModelSettings,
    SampleEvent,
    TextDelta,
    Usage,
)
from omnigent.runner.harnesses.conversation import entries_of, text_of


class EchoUpper:
    """Remembers nothing: every request carries the whole conversation."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings

    async def sample(self, request: ModelRequest) -> AsyncIterator[SampleEvent]:
        """Stream the answer word by word; usage and the reason for the end come last."""
        words = text_of(entries_of(request.items)[-1]).upper().split(" ")
        for place, word in enumerate(words):
            yield TextDelta(f" {word}" if place else word)
        yield Usage(input_tokens=len(words), output_tokens=len(words), model=request.model)
        yield Finished("stop")

    async def close(self) -> None:
        """There is no connection to end."""

"""A model that does as it is told: `tools` lists its tools, JSON `[[name, arguments], ...]` calls them."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from omnigent.runner.harnesses.base import (
    Finished,
    ModelRequest,
    ModelSettings,
    SampleEvent,
    TextDelta,
    ToolCall,
)
from omnigent.runner.harnesses.rows import HarnessRow


class Caller:
    """An adapter of a harness."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings

    async def sample(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        last = request.items[-1]
        if last["type"] == "function_call_output":
            yield TextDelta("done")
        elif (text := _text(last)) == "tools":
            yield TextDelta(json.dumps([tool.name for tool in request.tools]))
        else:
            for number, (name, arguments) in enumerate(json.loads(text)):
                yield ToolCall(call_id=f"c{number}", name=name, arguments=json.dumps(arguments))
        yield Finished("stop")

    async def close(self) -> None:
        """Nothing to release."""


def _text(item: Mapping[str, Any]) -> str:
    return "".join(block.get("text", "") for block in item["content"])


CALLER = {"scripted": HarnessRow(adapter=f"{__name__}:Caller", default_model="none")}


def call(name: str, /, **arguments: Any) -> str:
    """The message that makes it call a tool."""
    return json.dumps([[name, arguments]])

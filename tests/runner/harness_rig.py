"""Runs a model adapter against the scripted model server and keeps what its consumer saw."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent.runner.harnesses.base import (
    Model,
    ModelError,
    ModelRequest,
    ModelSettings,
    ToolSchema,
)
from omnigent.runner.harnesses.retry import RetryLoop
from tests.runner.outcome import Outcome

NOW = 1_700_000_000.0
DEADLINE = 30.0
SHELL = ToolSchema(
    name="sys_os_shell",
    description="Run a command.",
    parameters={
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    },
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One adapter; `exchanges` lists the calls and results of a recorded request in order."""

    build: Callable[[ModelSettings, RetryLoop], Model]
    path: str
    base_path: str
    model: str
    keys: tuple[str, ...]
    exchanges: Callable[[Mapping[str, Any]], list[tuple[str, str]]]
    broken_kind: str
    wrong_shape: bytes


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def called(call_id: str, arguments: str = '{"command": "ls"}') -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "sys_os_shell", "arguments": arguments}


def gave(call_id: str, output: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


class HarnessRig:
    """Runs samples of one adapter without waiting between retries."""

    subject: ClassVar[Subject]

    def request(self, *items: Mapping[str, Any], **changes: Any) -> ModelRequest:
        values: dict[str, Any] = {
            "model": self.subject.model,
            "instructions": "Be brief.",
            "items": items or (user("Hello"),),
            "tools": (SHELL,),
            **changes,
        }
        return ModelRequest(**values)

    @asynccontextmanager
    async def model(self, url: str, waits: list[float], **changes: Any) -> AsyncIterator[Model]:
        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        values = {
            "api_key": "key",
            "base_url": url + self.subject.base_path,
            "timeout_seconds": 5.0,
            **changes,
        }
        settings = ModelSettings(**values)
        retry = RetryLoop(settings, sleep=sleep, jitter=lambda: 0.0, now=lambda: NOW)
        model = self.subject.build(settings, retry)
        try:
            yield model
        finally:
            await model.close()

    async def sample(self, url: str, request: ModelRequest | None = None, **changes: Any) -> Outcome:
        outcome = Outcome()
        async with self.model(url, outcome.waits, **changes) as model, asyncio.timeout(DEADLINE):
            try:
                async for event in model.sample(request or self.request()):
                    outcome.events.append(event)
            except ModelError as error:
                outcome.error = error
        return outcome

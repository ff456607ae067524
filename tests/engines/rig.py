"""Runs turns of one engine against the scripted model server, and keeps what its consumer saw."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from omnigent.runner.harnesses.base import (
    ModelError,
    ModelRequest,
    TextDelta,
    ToolSchema,
)
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from tests.engines.desk import ScriptedDesk
from tests.model_server import Call, ModelServer
from tests.runner.outcome import Outcome

DEADLINE = 45.0
LOOKUP = ToolSchema(
    name="sys_lookup",
    description="Look a word up.",
    parameters={"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnTool:
    """A built-in tool of the engine, used to write "proof" into a file: `call` is how the model asks for it,
    `name` is what the desk is told."""

    name: str
    call: Callable[[Path], Call]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One engine. `build` gets the settings and after how many seconds of silence a turn has to fail.

    `offered` gives the name under which the model sees a tool of ours; `processes` the ids of the engine's
    processes. `lacks` names scenarios (methods without `test_`) that it cannot do, with the reason.
    """

    build: Callable[[EngineSettings, float], Engine]
    model: str
    other_model: str
    broken_kind: str
    base_path: str = ""
    own: OwnTool | None = None
    offered: Callable[[str], str] = str
    processes: Callable[[Engine], Sequence[int]] = lambda engine: ()
    server: Callable[[], ModelServer] = ModelServer
    lacks: Mapping[str, str] = field(default_factory=dict)


def said(role: str, text: str) -> dict[str, Any]:
    """An item of the history."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


class Talk:
    """One session with an engine, over as many turns and engines as a test wants."""

    def __init__(self, subject: Subject, server: ModelServer, root: Path, silence_seconds: float) -> None:
        self.desk = ScriptedDesk()
        self.server = server
        self.workspace = root / "workspace"
        self.state_dir = root / "state" / "conv_1" / "engine"
        self.workspace.mkdir(parents=True, exist_ok=True)
        self.instructions = "Be brief."
        self.config: dict[str, str] = {}
        self.own_tools = True
        self.environment: dict[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(root)}
        self._subject = subject
        self._silence_seconds = silence_seconds
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """Made when it is first needed."""
        if self._engine is None:
            settings = EngineSettings(
                session_id="conv_1",
                state_dir=self.state_dir,
                workspace=self.workspace,
                environment=self.environment,
                api_key="key",
                base_url=self.server.url + self._subject.base_path,
                config=self.config,
                own_tools=self.own_tools,
            )
            self._engine = self._subject.build(settings, self._silence_seconds)
        return self._engine

    async def close(self) -> None:
        """End the engine; the next turn has another one, as after a restart of the runner."""
        engine, self._engine = self._engine, None
        if engine is not None:
            async with asyncio.timeout(DEADLINE):
                await engine.close()

    async def turn(self, *content: str | Mapping[str, Any], **changes: Any) -> Outcome:
        """Run a turn that the user starts with this text or these blocks."""
        outcome = Outcome()
        blocks = [{"type": "input_text", "text": part} if isinstance(part, str) else part for part in content]
        self.desk.history.begin_turn()
        self.desk.history.add_message({"content": blocks})
        stream = self.engine.run(self._request(**changes), self.desk)
        is_interrupted = False
        try:
            async with asyncio.timeout(DEADLINE):
                async for event in stream:
                    outcome.events.append(event)
                    if isinstance(event, TextDelta):
                        self.desk.hear(event.text)
        except ModelError as error:
            outcome.error = error
        except asyncio.CancelledError:
            is_interrupted = True
            raise
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
            self.desk.end_turn(interrupted=is_interrupted)
        return outcome

    async def interrupt(self, turn: asyncio.Task[Outcome]) -> None:
        """Cancel a running turn and wait for its end."""
        turn.cancel()
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(asyncio.CancelledError):
                await turn

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that has no event."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.01)

    async def seen(self, number: int) -> str:
        """The request to the model of that number, counted from 1, as text."""
        async with asyncio.timeout(DEADLINE):
            return str((await self.server.request(number)).body)

    def _request(self, **changes: Any) -> ModelRequest:
        values: dict[str, Any] = {
            "model": self._subject.model,
            "instructions": self.instructions,
            "items": self.desk.history.model_input(),
            "tools": (LOOKUP,),
            **changes,
        }
        return ModelRequest(**values)


class EngineRig:
    """Makes talks. Scenarios that the subject lacks are left out of the run (see conftest.py)."""

    subject: ClassVar[Subject]

    @asynccontextmanager
    async def talk(self, root: Path, *, silence_seconds: float = 30.0) -> AsyncIterator[Talk]:
        async with self.subject.server() as server:
            talk = Talk(self.subject, server, root, silence_seconds)
            try:
                yield talk
            finally:
                await talk.close()

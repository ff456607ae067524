"""A runner in this process with a vendor's real program in a terminal, before a fake server and a scripted
model server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest_asyncio

from omnigent.runner.native.room import NativeRoom, Seat
from omnigent.runner.terminals.room import Terminals
from tests.model_server import Call, ModelServer
from tests.model_server.prompt import Prompt
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import Rig, running, settled
from tests.runner.stream import Stream

DEADLINE = 60.0
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Native:
    """One harness: its agent's file, and the environment that leads it to the model server.

    `shell` is the model's call that runs a command, `tool` what that tool is called, `heard` where a request
    to the model has the conversation. Requests that are `aside` are no part of it.
    """

    harness: str
    environment: Callable[[ModelServer], Mapping[str, str]]
    shell: Callable[[str], Call]
    tool: str
    heard: str
    aside: Callable[[Prompt], bool] = lambda _: False

    @property
    def agent(self) -> str:
        return (
            f"name: helper\nprompt: You help.\nexecutor: {{harness: {self.harness}}}\n"
            "os_env: {type: caller_process, sandbox: {type: none}}\n"
        )

    def model_server(self) -> ModelServer:
        return ModelServer(aside=self.aside)


class Talk:
    """What a test works with: one session, with one runner after the other."""

    def __init__(self, native: Native, models: ModelServer, root: Path) -> None:
        self.native = native
        self.models = models
        self.root = root
        self.workspace = root / "workspace"
        self.workspace.mkdir(exist_ok=True)
        self.server = FakeServer()
        self.server.agent = native.agent
        self.rig: Rig | None = None
        self.stream = Stream()
        self._count = 0

    @asynccontextmanager
    async def runner(self) -> AsyncIterator["Talk"]:
        """A runner, which is stopped at the end."""
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root),
            "OMNIGENT_STATE_DIR": str(self.root / "state"),
            **self.native.environment(self.models),
        }
        async with running(self.workspace, server=self.server, environment=environment) as rig:
            self.rig = rig
            self.stream = self.server.subscribe()
            yield self

    # -- doing -----------------------------------------------------------------------------------------

    async def say(self, text: str, **extra: Any) -> str:
        self._count += 1
        return await self.server.say(text, f"item_{self._count}", **extra)

    async def turn(self, text: str, **extra: Any) -> None:
        """One message and the end of its turn."""
        before = len(self.stream.events)
        assert await self.say(text, **extra) == "accepted"
        await self.settled(before)

    async def settled(self, since: int) -> None:
        await until(lambda: settled(self.stream, since), DEADLINE)

    async def typed(self, text: str) -> None:
        """What a person does at the terminal."""
        pane = self.terminals.all()[0]
        await pane.paste(text)
        async with asyncio.timeout(DEADLINE):
            while text not in await pane.screen():  # noqa: ASYNC110 - the screen has no event
                await asyncio.sleep(0.05)
            while self.seat.program.holds_text(await pane.screen()):
                await pane.press("Enter")
                await asyncio.sleep(0.5)

    # -- looking ---------------------------------------------------------------------------------------

    @property
    def terminals(self) -> Terminals:
        assert self.rig is not None
        session = self.rig.app.sessions.open("conv_1")
        return session.bench.rooms.of(Terminals)

    @property
    def seat(self) -> Seat:
        assert self.rig is not None
        seat = self.rig.app.sessions.open("conv_1").bench.rooms.of(NativeRoom).seat
        assert seat is not None
        return seat

    def posted(self, event_type: str) -> list[Json]:
        """The data of the events of this type that were posted, without repeats of an item."""
        found: dict[str, Json] = {}
        for number, body in enumerate(self.server.posted):
            if body["type"] == event_type:
                found.setdefault(body["data"].get("source_id") or str(number), body["data"])
        return list(found.values())

    def repeats(self) -> int:
        """How many items were posted more than once under one source id."""
        ids = [body["data"].get("source_id") for body in self.server.posted]
        known = [each for each in ids if each]
        return len(known) - len(set(known))

    def items(self, item_type: str) -> list[Json]:
        return [
            each["item_data"]
            for each in self.posted("external_conversation_item")
            if each["item_type"] == item_type
        ]

    def said(self, role: str) -> list[str]:
        return [
            "".join(block["text"] for block in data["content"])
            for data in self.items("message")
            if data["role"] == role and not data.get("is_meta")
        ]

    def statuses(self) -> list[str]:
        return [event["status"] for event in self.stream.events if event["type"] == "session.status"]

    def types(self) -> Sequence[str]:
        return [event["type"] for event in self.stream.events]

    def asked(self, phase: str) -> list[Json]:
        """The events of this phase about which the policies were asked."""
        bodies = [body for _, path, body in self.server.calls if path.endswith("/policies/evaluate")]
        return [body["event"] for body in bodies if body["event"]["type"] == phase]


class NativeRig:
    """What a class of tests for a harness has."""

    native: ClassVar[Native]

    @pytest_asyncio.fixture
    async def talk(self, tmp_path: Path) -> AsyncIterator[Talk]:
        """One session on one runner."""
        async with self.native.model_server() as models, Talk(self.native, models, tmp_path).runner() as talk:
            yield talk

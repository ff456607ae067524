"""Sessions of agents that bring functions, without a runner around them."""

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.tools.base import ToolContext
from omnigent.runner.tools.functions import FunctionRoom, Functions
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox
from tests.runner.tool_rig import tool_context

FILE = "tools/python/mine.py"


class Session:
    """A session of one agent."""

    def __init__(self, context: ToolContext) -> None:
        self.context = context

    async def functions(self) -> Functions:
        return await self.context.rooms.of(FunctionRoom).functions(self.context)

    async def call(self, name: str, /, **arguments: Any) -> str:
        return await (await self.functions()).tools[name].run(arguments, self.context)

    async def schema(self, name: str) -> dict[str, Any]:
        return dict((await self.functions()).tools[name].schema.parameters)


class Opener(Protocol):
    """Makes a session of an agent whose only file of tools has this code."""

    def __call__(self, code: str = "", *, timeout: float = 30, **spec: Any) -> Session: ...


@asynccontextmanager
async def sessions(workspace: Path) -> AsyncIterator[Opener]:
    """Makes sessions that work in this directory; they are closed in the end."""
    contexts: list[ToolContext] = []

    def opened(code: str = "", *, timeout: float = 30, **spec: Any) -> Session:
        files = {FILE: textwrap.dedent(code).encode()} if code else {}
        own = AgentSpec(
            name="helper",
            os_env=OsEnv(sandbox=Sandbox(type="none")),
            tool_files=tuple(files),
            tool_timeout=timeout,
            **spec,
        )
        context = tool_context(workspace, spec=own)
        contexts.append(context)
        return Session(replace(context, agent=LoadedAgent(spec=own, digest="0", code=files)))

    yield opened
    for context in contexts:
        await context.rooms.close()
        context.reaper.close()
        await context.api.close()

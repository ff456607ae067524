"""What the runner sees of an MCP server: its tools, its answers, its questions and its faults."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from omnigent.runner.questions import Ask
from omnigent.runner.tools.reaper import Reaper
from omnigent.spec.tooling import Retry

_SHORTEST_SECRET: Final = 4
_HIDDEN: Final = "[REDACTED]"


class McpFault(Exception):
    """A server cannot be had, or ended; the message is for the model and the log and holds no secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerTool:
    """A tool as its server lists it; `parameters` describes an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A server as it is started: variables expanded, and for `stdio` with its whole environment.

    `secrets` are the values that nobody is told.
    """

    name: str
    transport: str
    command: str | None = None
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    workspace: Path
    retry: Retry = field(default_factory=Retry)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def told(self, text: str) -> str:
        """The text without this server's secrets."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, _HIDDEN)
        return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls a tool: the session that a server's question is put to, how it is put, and what to do at
    each sign of life while the call runs.
    """

    session_id: str
    ask: Ask
    alive: Callable[[], None]


class Connection(Protocol):
    """A server that answers."""

    async def tools(self) -> Sequence[ServerTool]:
        """All that it offers. Raises McpFault."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> str:
        """The tool's output as text. Raises ToolError when the tool failed, McpFault when the server did."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether it answers no more."""
        ...

    async def ended(self) -> str:
        """Wait until it answers no more; why."""
        ...


Opener = Callable[[Definition, Reaper], AbstractAsyncContextManager[Connection]]
OpenerLoader = Callable[[], Awaitable[Opener]]

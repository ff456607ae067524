"""What the tools of one session keep between calls: made on first use, closed with the session."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from omnigent.runner.runtime import Runtime
from omnigent.runner.uplink import Uplink

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The session that a room belongs to. `call_tool` runs a tool through the server's gate: name, arguments
    and operation id to text; `cancel_tool` ends the operation of that id. `turn` counts the session's turns.
    """

    session_id: str
    runtime: Runtime
    uplink: Uplink
    call_tool: Callable[[str, Mapping[str, Any], str], Awaitable[str]]
    cancel_tool: Callable[[str], Awaitable[None]]
    turn: Callable[[], int]


class Room(Protocol):
    """Something with a life as long as its session's: terminals, timers, MCP servers, an inbox of results."""

    async def close(self) -> None:
        """End everything that it started."""
        ...


@runtime_checkable
class Working(Protocol):
    """A room in which something may go on while no turn runs."""

    @property
    def has_work(self) -> bool: ...


R = TypeVar("R", bound=Room)


class Rooms:
    """The rooms of one session by their class."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._made: dict[type[Any], Room] = {}

    def of(self, kind: Callable[[Home], R]) -> R:
        """The session's room of this class, which is made from its Home when there is none yet."""
        assert isinstance(kind, type)
        if kind not in self._made:
            self._made[kind] = kind(self.home)
        return cast("R", self._made[kind])

    @property
    def has_work(self) -> bool:
        """Whether something goes on in one of them, whose end this process must live to see."""
        return any(isinstance(room, Working) and room.has_work for room in self._made.values())

    async def close(self) -> None:
        """Close all rooms at once; one that fails does not keep the others from it."""
        rooms, self._made = list(self._made.values()), {}
        for result in await asyncio.gather(*(room.close() for room in rooms), return_exceptions=True):
            if isinstance(result, Exception):
                log.error("room not closed", exc_info=result)

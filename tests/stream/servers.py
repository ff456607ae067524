"""Server processes on the loop of a test: started with short durations, joined by a bus of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from django.apps import apps

from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.events.bus import Bus, Lost, NoBus, Receive
from sessions_app.loops import Durations
from sessions_app.process import Process

T = TypeVar("T")

SHORT = Durations(ping=5.0, silence=30.0, renew=0.5, reconcile=60.0, prune=3600.0, outbox=0.2)
DEADLINE = 30.0


class Wire:
    """What joins the processes of a test; each holds one end. Tests change what it loses."""

    def __init__(self, limit: int = 100_000) -> None:
        self.limit = limit
        self.is_cut = False
        self.sent: list[bytes] = []
        self.keep: Callable[[bytes], bool] = lambda message: True
        self.ends: list[WireEnd] = []

    def end(self) -> "WireEnd":
        """A bus for one more process."""
        end = WireEnd(self)
        self.ends.append(end)
        return end

    def carry(self, message: bytes) -> None:
        """Hand a message to every end, its sender's included, as real buses do."""
        self.sent.append(message)
        if self.is_cut or not self.keep(message):
            return
        loop = asyncio.get_running_loop()
        for end in self.ends:
            if end.receive is not None:
                loop.call_soon(end.receive, message)


class WireEnd:
    """One process's bus."""

    def __init__(self, wire: Wire) -> None:
        self.limit = wire.limit
        self.receive: Receive | None = None
        self.lost: Lost | None = None
        self._wire = wire

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Begin to listen."""
        self.receive, self.lost = receive, lost

    def send(self, message: bytes) -> None:
        """Pass it on."""
        self._wire.carry(message)

    async def stop(self) -> None:
        """Stop listening."""
        self.receive = None


@asynccontextmanager
async def running(
    *,
    bus: Bus | None = None,
    durations: Durations = SHORT,
    address: str = "http://127.0.0.1:9",
    serves: bool = True,
) -> AsyncIterator[Process]:
    """A started process; `serves` makes it the one that the ASGI application of this test finds."""
    config: Any = apps.get_app_config("sessions_app")
    process = Process(address=address, bus=bus or NoBus(), durations=durations)
    await process.start()
    if serves:
        config.process = process
    try:
        yield process
    finally:
        await process.stop()
        if serves:
            config.process = None


def application() -> Gate:
    """The ASGI application of the process that serves."""
    return Gate(Router())


async def until(look: Callable[[], Awaitable[T] | T], seconds: float = DEADLINE) -> T:
    """Look again and again until the answer is true; fails after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                answer = look()
                if isinstance(answer, Awaitable):
                    answer = await answer
                if answer:
                    return answer
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError("it did not come true in time") from None

"""What surrounds serving, on every server: start before, drain and stop after, the local host beside."""

import asyncio
import faulthandler
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from omnigent.ending import described
from omnigent.serving.host_child import HostChild

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stoppable(Protocol):
    """The process object as this module sees it."""

    async def start(self) -> None: ...

    async def drain(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(kw_only=True, slots=True)
class Lifecycle:
    """Drives `process` around a server. `announce` is called once, when connections are accepted.

    A process that was told to end has ended `end_seconds` after its drain time, whatever it waits for.
    """

    process: Stoppable
    announce: Callable[[], None]
    drain_seconds: float
    end_seconds: float = 15.0
    host: HostChild | None = None
    _stopping: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def start(self) -> None:
        await self.process.start()

    def serving(self) -> None:
        self.announce()
        if self.host is not None:
            self.host.start()

    def on_signals(self, stop_server: Callable[[], None]) -> None:
        """Drain and then stop on the first SIGINT or SIGTERM; on the second one stop without waiting."""
        loop = asyncio.get_event_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal, stop_server)

    async def drain(self) -> None:
        """Take leave of tunnels and streams, and of the local host, within the drain time."""
        leaving = [self.process.drain()]
        if self.host is not None:
            leaving.append(self.host.stop())
        try:
            async with asyncio.timeout(self.drain_seconds):
                results = await asyncio.gather(*leaving, return_exceptions=True)
        except TimeoutError:
            logger.warning("drain_incomplete", extra={"seconds": self.drain_seconds})
            return
        for result in results:
            if isinstance(result, BaseException):
                logger.error("drain_failed", exc_info=result)

    async def stop(self) -> None:
        if self.host is not None:
            self.host.kill()
        await self.process.stop()

    def _on_signal(self, stop_server: Callable[[], None]) -> None:
        if self._stopping is None:
            self._insist()
            self._stopping = asyncio.ensure_future(self._leave(stop_server))
        else:
            stop_server()

    def _insist(self) -> None:
        """Should the end not come about by itself: tell what is waited for, then end without it. What was
        answered is stored by then; another process would find the rest as after a kill.
        """
        seconds = self.drain_seconds + self.end_seconds
        asyncio.get_running_loop().call_later(seconds * 0.9, tell_what_goes_on)
        faulthandler.dump_traceback_later(seconds, exit=True)

    async def _leave(self, stop_server: Callable[[], None]) -> None:
        try:
            await self.drain()
        finally:
            stop_server()


def tell_what_goes_on() -> None:
    """Log the tasks that a process which does not end is waiting for."""
    logger.error("end_overdue", extra={"tasks": [described(task) for task in asyncio.all_tasks()]})

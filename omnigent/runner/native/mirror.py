"""Posts what a transcript tells to the session's server, in order and for as long as it takes."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from omnigent.runner.api import ServerApi, ServerRefused, ServerUnreachable

log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0
_GONE: Final = frozenset({404, 410})

Event = Mapping[str, Any]
Then = Callable[[], None]


class Mirror:
    """One post at a time. What the server refuses is left out; `then` of an event runs after its post."""

    def __init__(self, api: ServerApi, session_id: str) -> None:
        self._api = api
        self._session_id = session_id
        self._waiting: asyncio.Queue[tuple[Event | None, Then | None]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._is_gone = False

    def post(self, event_type: str, data: Mapping[str, Any]) -> None:
        self._waiting.put_nowait(({"type": event_type, "data": dict(data)}, None))
        self._wake()

    def then(self, work: Then) -> None:
        """Do this when everything that was posted before has arrived."""
        self._waiting.put_nowait((None, work))
        self._wake()

    async def delivered(self) -> None:
        """Wait until the server has everything."""
        await self._waiting.join()

    async def close(self, seconds: float) -> None:
        """Give what waits so many seconds."""
        worker = self._worker
        if worker is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.delivered()
        except TimeoutError:
            log.warning("not everything was mirrored", extra={"session": self._session_id})
        finally:
            worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    def _wake(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name=f"mirror-{self._session_id}")

    async def _work(self) -> None:
        while True:
            event, work = await self._waiting.get()
            try:
                if event is not None and not self._is_gone:
                    await self._post(event)
                if work is not None:
                    work()
            except OSError as exc:
                log.error("the state of the mirror cannot be kept", extra={"error": str(exc)})
            finally:
                self._waiting.task_done()

    async def _post(self, event: Event) -> None:
        while True:
            try:
                await self._api.post_event(self._session_id, event)
            except ServerUnreachable as exc:
                log.warning("server away", extra={"session": self._session_id, "error": str(exc)})
                await asyncio.sleep(_PAUSE_SECONDS)
            except ServerRefused as exc:
                log.warning("not mirrored", extra={"session": self._session_id, "error": str(exc)})
                self._is_gone = exc.status in _GONE
                return
            else:
                return

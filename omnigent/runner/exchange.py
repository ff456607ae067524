"""The runner's end of the tunnel: frames in, one task per request, answers out."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from omnigent.link import Link, LinkDown
from omnigent.protocol import frames
from omnigent.protocol.codec import FrameError
from omnigent.runner.channels import Channels
from omnigent.runner.handlers import Route, route_of
from omnigent.runner.http import Call, Refusal, Responder
from omnigent.runner.sessions import Sessions

log = logging.getLogger(__name__)


class Exchange:
    """Requests of the current connection. When it goes, so do they: the server asks again on the next."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._link: Link | None = None
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._streams: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Task[None]] = set()
        self._channels = Channels(sessions, self._send)
        self.last_active = time.monotonic()

    def attach(self, link: Link) -> None:
        self._link = link

    @property
    def is_busy(self) -> bool:
        """Whether a request other than a stream is under way."""
        return len(self._requests) > len(self._streams)

    async def receive(self, text: str) -> None:
        """Take one message of the server; what cannot be read is logged and dropped."""
        try:
            frame = frames.parse(text)
        except FrameError as exc:
            log.warning("frame dropped", extra={"error": str(exc)})
            return
        match frame:
            case frames.Request():
                self._begin(frame)
            case frames.RequestCancel():
                if task := self._requests.get(frame.id_):
                    task.cancel()
            case frames.Ping():
                self._spawn(self._send_quietly(frames.Pong(ts=frame.ts)))
            case frames.StreamAck():
                self._sessions.acknowledge(frame.session_id, frame.id_)
            case frames.WsOpen():
                self._channels.open(frame)
            case frames.WsFrame():
                self._channels.take(frame)
            case frames.WsClose():
                self._channels.close(frame)
            case _:
                log.debug("frame ignored", extra={"kind": frame.kind})

    async def reset(self) -> None:
        """The connection is gone: nobody waits for these answers."""
        tasks = [*self._requests.values(), *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(self._channels.reset(), *tasks, return_exceptions=True)

    async def streams_ended(self, seconds: float) -> None:
        """Wait until the streams have said goodbye, or for so many seconds."""
        if self._streams:
            await asyncio.wait(set(self._streams), timeout=seconds)

    def _begin(self, request: frames.Request) -> None:
        if request.id_ in self._requests:
            log.warning("request id in use", extra={"id": request.id_})
            return
        found = route_of(request.method, request.path)
        task = asyncio.create_task(self._answer(request, found), name=f"request-{request.path}")
        self._requests[request.id_] = task
        if found is not None and found[0].streams:
            self._streams.add(task)
        else:
            self.last_active = time.monotonic()
        task.add_done_callback(lambda done: self._ended(request.id_, done))

    def _ended(self, request_id: str, task: asyncio.Task[None]) -> None:
        del self._requests[request_id]
        if task not in self._streams:
            self.last_active = time.monotonic()
        self._streams.discard(task)

    async def _answer(self, request: frames.Request, found: tuple[Route, str] | None) -> None:
        respond = Responder(request.id_, self._send)
        try:
            if found is None:
                await respond.json(
                    404, {"error": "not_found", "detail": f"no route {request.method} {request.path}"}
                )
                return
            route, session_id = found
            await self._run(route, Call(request=request, session_id=session_id), respond)
        except LinkDown:
            log.info("answer lost with the tunnel", extra={"path": request.path})

    async def _run(self, route: Route, call: Call, respond: Responder) -> None:
        try:
            await route.handle(self._sessions, call, respond)
        except Refusal as exc:
            await respond.json(exc.status, {"error": exc.code, "detail": exc.detail})
        except LinkDown:
            raise
        except Exception as exc:
            log.exception("request failed", extra={"path": call.request.path})
            if respond.is_started:
                await respond.end(error=f"{type(exc).__name__}: {exc}")
            else:
                await respond.json(500, {"error": "internal_error", "detail": type(exc).__name__})

    async def _send(self, frame: frames.Frame) -> None:
        if self._link is None:
            raise LinkDown("no link yet")
        await self._link.send(frames.render(frame))

    async def _send_quietly(self, frame: frames.Frame) -> None:
        try:
            await self._send(frame)
        except LinkDown:
            log.debug("frame lost with the tunnel", extra={"kind": frame.kind})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

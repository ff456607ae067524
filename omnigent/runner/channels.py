"""WebSockets that travel through the tunnel: viewers of terminals."""

import asyncio
import base64
import logging
import re
from typing import Final
from urllib.parse import parse_qs

from omnigent.link import LinkDown
from omnigent.protocol import frames
from omnigent.runner.http import Sender
from omnigent.runner.sessions import Sessions
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.room import Terminals
from omnigent.runner.terminals.viewer import ENDED, FAILED, Viewer

log = logging.getLogger(__name__)

_ATTACH: Final = re.compile(
    r"/v1/sessions/(?P<session>[A-Za-z0-9_-]{1,64})/resources/terminals/(?P<terminal>[A-Za-z0-9_-]{1,200})/attach"
)
_CRASHED: Final = 1011
_TOO_MUCH: Final = 1009


class Channels:
    """Those of the current connection."""

    def __init__(self, sessions: Sessions, send: Sender) -> None:
        self._sessions = sessions
        self._send = send
        self._viewers: dict[str, Viewer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def open(self, frame: frames.WsOpen) -> None:
        """Begin; a terminal that is not there closes the channel."""
        if frame.ch_id in self._tasks:
            log.warning("channel id in use", extra={"channel": frame.ch_id})
            return
        # What comes right behind must find it.
        viewer = self._viewer(frame)
        if viewer is not None:
            self._viewers[frame.ch_id] = viewer
        task = asyncio.create_task(self._serve(frame, viewer), name=f"channel-{frame.ch_id}")
        self._tasks[frame.ch_id] = task
        task.add_done_callback(lambda _: self._forget(frame.ch_id))

    def take(self, frame: frames.WsFrame) -> None:
        """A message of the other end; one that comes too late, or cannot be read, means nothing."""
        viewer = self._viewers.get(frame.ch_id)
        if viewer is None:
            return
        try:
            message = (
                frame.data if frame.encoding == "utf-8" else frames.decode_body(frame.data, frame.encoding)
            )
        except frames.FrameError as exc:
            log.warning("message dropped", extra={"channel": frame.ch_id, "error": str(exc)})
            return
        if not viewer.take(message):
            self._tasks[frame.ch_id].cancel("too much input")

    def close(self, frame: frames.WsClose) -> None:
        """The other end has gone."""
        if task := self._tasks.get(frame.ch_id):
            task.cancel()

    async def reset(self) -> None:
        """The connection is gone, and with it everybody who looked."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, channel: str) -> None:
        del self._tasks[channel]
        self._viewers.pop(channel, None)

    async def _serve(self, frame: frames.WsOpen, viewer: Viewer | None) -> None:
        try:
            code, reason = await viewer.run() if viewer is not None else (ENDED, "no such terminal")
        except LinkDown:
            return
        except TerminalError as exc:
            code, reason = FAILED, str(exc)
        except asyncio.CancelledError as exc:
            if not exc.args:
                raise
            code, reason = _TOO_MUCH, str(exc.args[0])
        except Exception:
            log.exception("viewer failed", extra={"path": frame.path})
            code, reason = _CRASHED, "internal error"
        try:
            await self._send(frames.WsClose(ch_id=frame.ch_id, code=code, reason=reason))
        except LinkDown:
            log.debug("close lost with the tunnel", extra={"channel": frame.ch_id})

    def _viewer(self, frame: frames.WsOpen) -> Viewer | None:
        """Somebody who looks at the terminal of the path; None when there is none, or it has ended."""
        match = _ATTACH.fullmatch(frame.path)
        session = self._sessions.find(match["session"]) if match else None
        pane = session.bench.rooms.of(Terminals).get(match["terminal"]) if session and match else None
        if pane is None or pane.exited:
            return None

        async def send(data: bytes) -> None:
            text = base64.b64encode(data).decode("ascii")
            await self._send(frames.WsFrame(ch_id=frame.ch_id, data=text, encoding="base64"))

        asked = parse_qs(frame.query_string).get("read_only", ["false"])[-1]
        return Viewer(pane, send, is_read_only=asked.lower() in {"true", "1"})

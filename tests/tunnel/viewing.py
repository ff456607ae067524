"""A viewer of a terminal as a browser is one, and a runner that has a terminal; between them the server."""

import base64
from typing import Any, Self

from omnigent.api.asgi import Application
from omnigent.protocol import frames
from sessions_app.models import Session
from tests.api_plumbing.asgi_client import Socket
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner

TERMINAL_ID = "terminal_shell_main"
SLICE = b"y\r\n" * 20_000


def path_of(session: Session, end: str = "") -> str:
    """The terminals of a session, or one of them."""
    return f"/v1/sessions/{session.public_id}/resources/terminals{end}"


class Viewer(Socket):
    """A WebSocket whose client may stop to read: then the server's `send` waits, as a real one does."""

    def __init__(
        self, app: Application, session: Session, *, query: str = "", terminal: str = TERMINAL_ID, **more: Any
    ) -> None:
        super().__init__(app, path_of(session, f"/{terminal}/attach{query}"), **more)
        self.reads = True
        self.waits = False
        self.shown = b""
        self.texts: list[str] = []
        self.status = 0
        self.close: tuple[int, str] | None = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def send(self, message: Any) -> None:
        self.waits = not self.reads
        await until(lambda: self.reads)
        kind = message["type"]
        if kind == "websocket.send" and message.get("bytes") is not None:
            self.shown += message["bytes"]
        elif kind == "websocket.send":
            self.texts.append(message["text"])
        elif kind == "websocket.close":
            self.close = (message["code"], message.get("reason", ""))
            self.disconnect(message["code"])
        elif kind == "websocket.accept":
            self.status = 101
        elif kind.endswith("response.start"):
            self.status = message["status"]

    def type(self, data: bytes) -> None:
        """Press keys."""
        self.incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    async def until_decided(self) -> int:
        """Wait until the handshake is over: 101, or the status of its refusal."""
        await until(lambda: self.status)
        return self.status

    async def until_closed(self) -> tuple[int, str]:
        """Wait until the server closes; the code and words."""
        await until(lambda: self.close is not None)
        assert self.close is not None
        return self.close


class Screen:
    """The runner's side of its terminal's channels."""

    def __init__(self, runner: FakeRunner) -> None:
        self._runner = runner
        self.seed = b"seed;"
        runner.on_channel = self._take

    def _take(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.WsOpen):
            self.show(frame.ch_id, self.seed)

    @property
    def opened(self) -> list[frames.WsOpen]:
        """Every channel that the server has opened."""
        return [frame for frame in self._runner.channels if isinstance(frame, frames.WsOpen)]

    @property
    def closed(self) -> list[str]:
        """Ids of the channels that the server has closed."""
        return [frame.ch_id for frame in self._runner.channels if isinstance(frame, frames.WsClose)]

    async def until_opened(self, count: int = 1) -> str:
        """Wait for the `count`th channel; its id."""
        await until(lambda: len(self.opened) >= count)
        return self.opened[count - 1].ch_id

    def typed(self, channel: str) -> list[bytes | str]:
        """What came to a channel: keys as bytes, sizes as texts."""
        came = [
            one for one in self._runner.channels if isinstance(one, frames.WsFrame) and one.ch_id == channel
        ]
        return [one.data if one.encoding == "utf-8" else base64.b64decode(one.data) for one in came]

    def show(self, channel: str, data: bytes) -> None:
        """Put output on a channel."""
        text = base64.b64encode(data).decode()
        self._runner.say(frames.WsFrame(ch_id=channel, data=text, encoding="base64"))

    def say(self, channel: str, text: str) -> None:
        """Send a text message."""
        self._runner.say(frames.WsFrame(ch_id=channel, data=text))

    def end(self, channel: str, code: int, reason: str = "") -> None:
        """Close a channel."""
        self._runner.say(frames.WsClose(ch_id=channel, code=code, reason=reason))

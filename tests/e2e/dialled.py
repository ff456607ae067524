"""Tunnels whose far end is the test, over real sockets: a runner that answers, a host that only is there."""

import secrets
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from omnigent.protocol import frames, host_frames

END_SECONDS = 30.0

Answer = Callable[[frames.Request], bytes]


class Dialled:
    """A tunnel from the hello on. Frames of the server go to `on_text`, in a thread of their own."""

    kind = "runner"

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        address = f"{url.replace('http', 'ws', 1)}/v1/{self.kind}s/{name}/tunnel"
        headers = {"Origin": frames.ORIGIN}
        self._dial = connect(address, additional_headers=headers, compression=None, max_size=None, proxy=None)
        self._thread = threading.Thread(target=self._read, name=f"dialled-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._socket = self._dial.__enter__()
        self._socket.send(self.hello())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dial.__exit__(kind, error, trace)
        self._thread.join(END_SECONDS)

    def hello(self) -> str:
        """What it introduces itself with."""
        return frames.render(frames.Hello(runner_version="1", frame_protocol_version=frames.PROTOCOL_MAJOR))

    def on_text(self, text: str) -> None:
        """A message of the server."""

    def send(self, text: str) -> None:
        """Send one message as one frame; it may find the connection closed."""
        try:
            self._socket.send(text)
        except ConnectionClosed:
            return

    def until_closed(self) -> int | None:
        """The code with which the server ended it; None when it said nothing."""
        self._thread.join(END_SECONDS)
        assert not self._thread.is_alive(), "the server did not close the tunnel"
        return self._socket.close_code

    def _read(self) -> None:
        try:
            for message in self._socket:
                self.on_text(str(message))
        except ConnectionClosed:
            return


class DialledHost(Dialled):
    """A host that launches nothing."""

    kind = "host"

    def hello(self) -> str:
        hello = host_frames.HostHello(
            version="1", frame_protocol_version=frames.PROTOCOL_MAJOR, name=self.name, runners=()
        )
        return host_frames.render(hello)


class DialledRunner(Dialled):
    """A runner whose answers are a function of the request, each body one frame."""

    def __init__(self, url: str, answer: Answer) -> None:
        self._answer = answer
        super().__init__(url, f"runner_{secrets.token_hex(16)}")

    def on_text(self, text: str) -> None:
        request = frames.parse(text)
        if not isinstance(request, frames.Request):
            return
        body, encoding = frames.encode_body(self._answer(request), "application/json")
        media = (("content-type", "application/json"),)
        self.send(frames.render(frames.ResponseHead(id_=request.id_, status=200, headers=media)))
        self.send(frames.render(frames.ResponseBody(id_=request.id_, body=body, encoding=encoding)))
        self.send(frames.render(frames.ResponseEnd(id_=request.id_)))

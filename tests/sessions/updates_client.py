"""A client of `WS /v1/sessions/updates`, on the ASGI application driven by hand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from omnigent.api.asgi import Application
from tests.api_plumbing.asgi_client import Socket

PATH = "/v1/sessions/updates"
DEADLINE = 30.0


class Follower:
    """Connects and records what comes. `pause` makes it a client that does not read."""

    def __init__(
        self, app: Application, headers: Mapping[str, str] | None = None, *, denial: bool = False
    ) -> None:
        self.socket = Socket(app, PATH, headers=headers, denial=denial)
        self.socket.send = self._take  # type: ignore[method-assign]  # a subclass in all but name
        self.messages: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.seen = 0
        self._changed = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()

    async def __aenter__(self) -> "Follower":
        await self.socket.__aenter__()
        await self.until(lambda: self.messages)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.resume()
        await self.socket.__aexit__(*error)

    def pause(self) -> None:
        self._reads.clear()

    def resume(self) -> None:
        self._reads.set()

    async def _take(self, message: Any) -> None:
        await self._reads.wait()
        self.messages.append(dict(message))
        if message["type"] == "websocket.send":
            self.frames.append(orjson.loads(message["text"]))
        self._changed.set()

    async def until(self, condition: Callable[[], Any], seconds: float = DEADLINE) -> None:
        """Wait until the condition holds; it is looked at after everything that arrives."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not in time; got {self.messages[-5:]}") from None

    def send(self, frame: Any) -> None:
        """Send a frame, or text as it is."""
        self.socket.text(frame if isinstance(frame, str) else orjson.dumps(frame).decode())

    async def watch(self, ids: Sequence[Any]) -> dict[str, Any]:
        """Watch sessions; gives the rows of the snapshot by id."""
        self.send({"type": "watch", "session_ids": list(ids)})
        frame = await self.expect("snapshot")
        return {row["id"]: row for row in frame["items"]}

    async def expect(self, kind: str, seconds: float = DEADLINE) -> dict[str, Any]:
        """The next frame, which is of this type."""
        await self.until(lambda: len(self.frames) > self.seen, seconds)
        frame = self.frames[self.seen]
        assert frame["type"] == kind, self.frames[self.seen :]
        self.seen += 1
        return frame

    async def changed(self, seconds: float = DEADLINE) -> dict[str, Any]:
        """The one row of the next frame."""
        (row,) = (await self.expect("changed", seconds))["items"]
        return row  # type: ignore[no-any-return]  # JSON

    @property
    def unseen(self) -> list[dict[str, Any]]:
        """The frames that nobody has expected yet."""
        return self.frames[self.seen :]

    @property
    def close_code(self) -> int | None:
        """With which code the server has closed."""
        last = self.messages[-1]
        return last["code"] if last["type"] == "websocket.close" else None

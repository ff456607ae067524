"""A reader of a session's stream, inside the process: the ASGI application driven by hand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from omnigent.api.asgi import Application
from omnigent.protocol.sse import Decoder
from tests.api_plumbing.asgi_client import http_scope
from tests.stream.servers import DEADLINE


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One event as it arrived; synthetic ones have no id."""

    id: int | None
    event: str
    data: str

    @property
    def body(self) -> dict[str, Any]:
        """The event's JSON."""
        body: dict[str, Any] = orjson.loads(self.data)
        return body


class Reader:
    """Opens a stream and records what comes. `pause` makes it a client that does not read,
    `breaks_with` one whose connection fails when something is sent.
    """

    def __init__(
        self,
        app: Application,
        session_id: str,
        *,
        after: int | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        query = "" if after is None else f"?after={after}"
        self._scope = http_scope("GET", f"/v1/sessions/{session_id}/stream{query}", headers or {})
        self._app = app
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._decoder = Decoder()
        self._changed = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.frames: list[Frame] = []
        self.is_finished = False
        self.breaks_with: Exception | None = None
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Reader":
        self.task = asyncio.create_task(self._app(self._scope, self._incoming.get, self._send))
        self.task.add_done_callback(lambda done: self._changed.set())
        await self.until(lambda: self.status or self._is_over)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Go away, and wait until the server has noticed."""
        self.resume()
        self.leave()
        if self.task is not None:
            await asyncio.wait_for(asyncio.gather(self.task, return_exceptions=True), DEADLINE)

    def leave(self) -> None:
        """Go away without waiting for anything."""
        self._incoming.put_nowait({"type": "http.disconnect"})

    def pause(self) -> None:
        """Stop reading: what the server sends next waits."""
        self._reads.clear()

    def resume(self) -> None:
        """Read on."""
        self._reads.set()

    @property
    def _is_over(self) -> bool:
        return self.task is not None and self.task.done()

    async def _send(self, message: Any) -> None:
        await self._reads.wait()
        if self.breaks_with is not None:
            raise self.breaks_with
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.raw += message["body"]
            if self.headers.get("content-type", "").startswith("text/event-stream"):
                for one in self._decoder.feed(message["body"]):
                    number = None if one.id is None else int(one.id)
                    self.frames.append(Frame(id=number, event=one.event, data=one.data))
            self.is_finished = not message.get("more_body", False)
        self._changed.set()

    async def until(self, condition: Callable[[], Any], seconds: float = DEADLINE) -> None:
        """Wait until the condition holds; it is looked at after everything that arrives."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            tail = [(frame.id, frame.event) for frame in self.frames[-20:]]
            raise AssertionError(f"not in time; {len(self.frames)} frames, the last ones: {tail}") from None

    async def until_id(self, number: int) -> None:
        """Wait for the event of that number."""
        await self.until(lambda: self.last_id >= number)

    async def until_event(self, event: str, count: int = 1) -> Frame:
        """Wait for the `count`th event of a type."""
        await self.until(lambda: len(self.of(event)) >= count)
        return self.of(event)[count - 1]

    def of(self, event: str) -> list[Frame]:
        """The events of a type."""
        return [frame for frame in self.frames if frame.event == event]

    @property
    def logged(self) -> list[Frame]:
        """What came from the log."""
        return [frame for frame in self.frames if frame.id is not None]

    @property
    def ids(self) -> list[int]:
        """The numbers of what came from the log."""
        return [frame.id for frame in self.frames if frame.id is not None]

    @property
    def last_id(self) -> int:
        """The highest number so far."""
        return max(self.ids, default=0)


def text_of(frames: Sequence[Frame]) -> str:
    """The text that deltas add up to."""
    return "".join(frame.body["delta"] for frame in frames if frame.event == "response.output_text.delta")

"""A client of the session stream: records every frame, reconnects by Last-Event-ID, waits with deadlines."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from omnigent.protocol.sse import Decoder
from tests.e2e.program import NotInTime

READ_BYTES = 65536
REDIAL_SECONDS = 0.1
TERMINAL = frozenset({"response.completed", "response.failed", "response.cancelled", "response.incomplete"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One event as it arrived; `id` is None for synthetic frames."""

    id: int | None
    event: str
    data: str
    at: float = field(compare=False)

    @property
    def body(self) -> dict[str, Any]:
        """The event's JSON."""
        parsed: dict[str, Any] = json.loads(self.data)
        return parsed


class Stream:
    """Reads in a thread. With `reconnecting`, dials again after every end, from the last id it has.

    `url` may be a function, so that a reconnect can go to another replica.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        session_id: str,
        *,
        after: int | None = None,
        reconnecting: bool = True,
        read_pause: float = 0.0,
        token: str = "",
    ) -> None:
        self._token = token
        self._url = url if callable(url) else lambda: url
        self.session_id = session_id
        self._after = after
        self._reconnecting = reconnecting
        self._read_pause = read_pause
        self._frames: list[Frame] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._socket: socket.socket | None = None
        self.connections = 0
        self.statuses: list[int] = []
        self._thread = threading.Thread(target=self._run, name=f"stream-{session_id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connection."""
        self._closing.set()
        self.cut()
        self._thread.join(10)

    def cut(self) -> None:
        """Drop the connection, as a laptop lid does; a reconnecting stream comes back."""
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def frames(self) -> list[Frame]:
        """Everything received so far."""
        with self._changed:
            return list(self._frames)

    @property
    def logged(self) -> list[Frame]:
        """The frames that carry an id, which are the log."""
        return [frame for frame in self.frames if frame.id is not None]

    @property
    def last_id(self) -> int | None:
        """What a reconnect sends."""
        ids = [frame.id for frame in self.frames if frame.id is not None]
        return ids[-1] if ids else self._after

    @property
    def text(self) -> str:
        """The assistant's words, concatenated."""
        return "".join(self.each("response.output_text.delta", "delta"))

    def types(self) -> list[str]:
        """Event names in order, synthetic frames left out."""
        return [frame.event for frame in self.logged]

    def each(self, event: str, key: str) -> list[Any]:
        """One member of every event of a type."""
        return [frame.body[key] for frame in self.frames if frame.event == event]

    def items(self) -> list[dict[str, Any]]:
        """The items that were announced as done, in order."""
        return self.each("response.output_item.done", "item")

    def wait(self, found: Callable[[Sequence[Frame]], object], *, seconds: float, what: str) -> None:
        """Block until `found(frames)` is truthy."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not found(self._frames):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise NotInTime(f"{what}: not within {seconds} s; received:\n{self.history()}")

    def history(self) -> str:
        """Every frame received so far, a line each."""
        return "\n".join(f"{frame.id} {frame.event} {frame.data[:200]}" for frame in self.frames)

    def wait_event(self, event: str, *, count: int = 1, seconds: float = 20) -> None:
        """Block until an event was seen `count` times."""
        self.wait(
            lambda frames: sum(frame.event == event for frame in frames) >= count,
            seconds=seconds,
            what=f"{count} x {event}",
        )

    def wait_connected(self, *, count: int = 1, seconds: float = 10) -> None:
        """Block until the first frame of the `count`th connection."""
        self.wait_event("session.heartbeat", count=count, seconds=seconds)

    def wait_status(self, status: str, *, after: int = 0, seconds: float = 20) -> None:
        """Block until the session's status is announced as `status` in a frame with an id above `after`."""
        self.wait(
            lambda frames: any(
                frame.event == "session.status" and (frame.id or 0) > after and frame.body["status"] == status
                for frame in frames
            ),
            seconds=seconds,
            what=f"status {status}",
        )

    def wait_settled(self, *, turns: int = 1, seconds: float = 30) -> None:
        """Block until `turns` responses have ended and the session rests."""
        self.wait(lambda frames: is_settled(frames, turns), seconds=seconds, what=f"{turns} ended turns")

    def _run(self) -> None:
        while not self._closing.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._read()
            if not self._reconnecting:
                return
            self._closing.wait(REDIAL_SECONDS)

    def _read(self) -> None:
        address = urlsplit(self._url())
        connection = http.client.HTTPConnection(str(address.hostname), address.port or 80, timeout=60)
        headers = {"Accept": "text/event-stream"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self.last_id is not None:
            headers["Last-Event-ID"] = str(self.last_id)
        try:
            connection.connect()
            self._socket = connection.sock
            connection.request("GET", f"/v1/sessions/{self.session_id}/stream", headers=headers)
            response = connection.getresponse()
            self.statuses.append(response.status)
            if response.status == http.HTTPStatus.OK:
                self.connections += 1
                self._receive(response)
        finally:
            self._socket = None
            connection.close()

    def _receive(self, response: http.client.HTTPResponse) -> None:
        decoder = Decoder()
        while chunk := response.read1(READ_BYTES):
            messages = decoder.feed(chunk)
            if messages:
                with self._changed:
                    for message in messages:
                        number = int(message.id) if message.id else None
                        self._frames.append(
                            Frame(id=number, event=message.event, data=message.data, at=time.monotonic())
                        )
                    self._changed.notify_all()
            if self._closing.wait(self._read_pause):
                return


def is_settled(frames: Sequence[Frame], turns: int) -> bool:
    """Whether that many responses ended and the last status rests."""
    ended = sum(frame.event in TERMINAL for frame in frames)
    statuses = [frame.body["status"] for frame in frames if frame.event == "session.status"]
    return ended >= turns and bool(statuses) and statuses[-1] in ("idle", "failed")


def assert_no_gap(frames: Sequence[Frame]) -> None:
    """The ids of a stream, across all its connections, count up by one."""
    ids = [frame.id for frame in frames if frame.id is not None]
    assert ids, "no frame with an id"
    assert ids == list(range(ids[0], ids[0] + len(ids)))

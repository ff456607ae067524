"""What happens with a commit's news: local readers get the frames, other replicas get a bell."""

import base64
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from sessions_app.events.broker import Broker, Frame
from sessions_app.events.bus import Bus

logger = logging.getLogger(__name__)

ROWS = "rows"
"""The bell of sessions whose rows in lists look different."""

Listener = Callable[[tuple[str, ...]], None]


class Announcer:
    """Joins the broker and the bus; everything here runs on the loop.

    `replica_id` marks our own messages, which come back to us from a bus and are ignored.
    """

    def __init__(self, *, broker: Broker, bus: Bus, replica_id: str) -> None:
        self._broker = broker
        self._bus = bus
        self._replica_id = replica_id
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    async def start(self) -> None:
        """Listen to the other replicas."""
        await self._bus.start(self._receive, self._lost)

    async def stop(self) -> None:
        """Stop listening."""
        await self._bus.stop()

    def on(self, name: str, listener: Listener) -> None:
        """Call `listener(keys)` whenever the bell `name` rings, here or elsewhere."""
        self._listeners[name].append(listener)

    def is_followed(self, session_id: int) -> bool:
        """Whether a session's log may have readers; asked after a commit, from any thread. Whoever comes
        later reads the log first.
        """
        return bool(self._bus.limit) or self._broker.has_readers(session_id)

    def log(self, by_session: Mapping[int, Sequence[Frame]], changed: Collection[int] = ()) -> None:
        """Committed frames, by session; the rows of `changed` sessions look different from now on."""
        for session_id, frames in by_session.items():
            self._broker.publish(session_id, frames)
            if self._bus.limit:
                self._send_frames(session_id, frames, has_changed=session_id in changed)
        if changed:
            self._hear(ROWS, tuple(map(str, changed)))

    def bell(self, name: str, keys: Iterable[str] = ()) -> None:
        """Ring a named bell in every process."""
        names = tuple(keys)
        self._hear(name, names)
        if self._bus.limit:
            message = orjson.dumps({"r": self._replica_id, "b": name, "k": names})
            if len(message) > self._bus.limit:
                message = orjson.dumps({"r": self._replica_id, "b": name, "k": ()})
            self._bus.send(message)

    def _send_frames(self, session_id: int, frames: Sequence[Frame], *, has_changed: bool) -> None:
        message: dict[str, object] = {"r": self._replica_id, "s": session_id}
        if has_changed:
            message["c"] = True
        if sum(len(data) for _, data in frames) * 4 // 3 + 64 * len(frames) < self._bus.limit:
            message["f"] = [(seq, base64.b64encode(data).decode()) for seq, data in frames]
        self._bus.send(orjson.dumps(message))

    def _hear(self, name: str, keys: tuple[str, ...]) -> None:
        for listener in self._listeners.get(name, ()):
            listener(keys)

    def _receive(self, message: bytes) -> None:
        try:
            self._take(orjson.loads(message))
        except (ValueError, KeyError, TypeError):
            # Somebody else's message, or another version's: what it may have meant is in the log.
            logger.warning("unreadable_bell", extra={"bytes": len(message)})

    def _take(self, body: Mapping[str, Any]) -> None:
        if body["r"] == self._replica_id:
            return
        if "b" in body:
            self._hear(body["b"], tuple(body["k"]))
        elif "f" in body:
            self._broker.publish(body["s"], [(seq, base64.b64decode(data)) for seq, data in body["f"]])
        else:
            self._broker.ring(body["s"])
        if "c" in body:
            self._hear(ROWS, (str(body["s"]),))

    def _lost(self) -> None:
        self._broker.ring_all()
        for name in list(self._listeners):
            self._hear(name, ())

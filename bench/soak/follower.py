"""A reader of one session's stream that comes back after every loss, and what it has seen."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from omnigent.ending import end
from omnigent.protocol.sse import Decoder, Message

REDIAL_SECONDS = 0.5
READ_BYTES = 65536
RESTING = ("idle", "failed")


@dataclass(slots=True)
class Seen:
    """What of a log has arrived: a digest over every frame, so that two readers are compared cheaply."""

    last_id: int = 0
    frames: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    faults: list[str] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """One frame of the log; ids count up by one."""
        number = int(message.id or 0)
        if number != self.last_id + 1:
            self.faults.append(f"{message.event} {number} came after {self.last_id}")
        self.last_id = number
        self.frames += 1
        self.digest.update(f"{number}\n{message.event}\n{message.data}\n".encode())


class Follower:
    """Follows from the first event on; each connection goes to any replica. `questions` are what was asked,
    by id: the command that waits for consent.
    """

    def __init__(self, session_id: str, ports: Sequence[int], chance: random.Random) -> None:
        self.session_id = session_id
        self.seen = Seen()
        self.status = ""
        self.rested_at = 0
        self.questions: dict[str, str] = {}
        self.connections = 0
        self._ports = ports
        self._chance = chance
        self._writer: asyncio.StreamWriter | None = None
        self._task = asyncio.create_task(self._run(), name=f"follower-{session_id}")

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way, as far as this reader has seen."""
        return self.status in RESTING

    def cut(self) -> None:
        """Drop the connection; it is made again."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        """Leave for good."""
        await end([self._task])

    async def _run(self) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._read(self._chance.choice(self._ports))
            await asyncio.sleep(REDIAL_SECONDS * (0.5 + self._chance.random()))

    async def _read(self, port: int) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            lines = (
                # Of the older version no chunks are made: the body ends with the connection.
                f"GET /v1/sessions/{self.session_id}/stream?after=0 HTTP/1.0",
                f"Host: 127.0.0.1:{port}",
                *((f"Last-Event-ID: {self.seen.last_id}",) if self.seen.last_id else ()),
            )
            self._writer.write("\r\n".join([*lines, "", ""]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                return
            self.connections += 1
            decoder = Decoder()
            while chunk := await reader.read(READ_BYTES):
                for message in decoder.feed(chunk):
                    if message.id:
                        self._take(message)
        finally:
            self._writer.close()
            self._writer = None

    def _take(self, message: Message) -> None:
        self.seen.take(message)
        if message.event == "session.status":
            self.status = str(orjson.loads(message.data)["status"])
            if self.is_at_rest:
                self.rested_at = self.seen.last_id
        elif message.event == "response.elicitation_request":
            asked = orjson.loads(message.data)
            self.questions[str(asked["elicitation_id"])] = str(asked["params"].get("content_preview"))

"""A session as its user has it: messages are posted, and the stream tells what became of them."""

import asyncio
import re
import time
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Self, cast

import orjson

from bench.agents.vendor import SHOWN, Turn, Vendor
from bench.client import Connection, ask
from bench.journeys import message

WAIT_SECONDS: Final = 120
EVENT: Final = re.compile(rb"^event: (\S+)$", re.MULTILINE)
DATA: Final = re.compile(rb"^data: (.+)$", re.MULTILINE)
DELTA: Final = b"response.output_text.delta"
ITEM: Final = b"response.output_item.done"
STATUS: Final = b"session.status"
FAILED: Final = b"response.failed"


class TurnFailed(Exception):
    """A measured turn did not complete; the text is what the stream said."""


class Reader(asyncio.Protocol):
    """Reads a session's stream and notes when it could read what."""

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self._tail = b""
        self._text = ""
        self._turn: Turn | None = None
        self.last = ""
        self.opened: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.WriteTransport | None = None

    def follow(self, turn: Turn) -> None:
        """What comes now belongs to this turn."""
        self._turn, self._text = turn, ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast(
            asyncio.WriteTransport, transport
        )  # uvloop's own classes share only the methods
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the events; those of a turn end with the session at rest."""
        now = time.perf_counter_ns()
        *events, self._tail = (self._tail + data).split(b"\n\n")
        for event in events:
            kind, body = EVENT.search(event), DATA.search(event)
            if kind is not None and body is not None:
                self._take(kind[1], body[1], now)
        if not self.opened.done() and events:
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """A turn that nobody reads cannot be measured."""
        if self._turn is not None and not self._turn.ended.done():
            self._turn.ended.set_exception(TurnFailed(f"the stream ended: {exc}"))

    def _take(self, kind: bytes, body: bytes, now: int) -> None:
        turn = self._turn
        if turn is None or turn.ended.done():
            return
        if kind == DELTA:
            turn.first_read = turn.first_read or now
            # Whatever a token is cut into on the way, it is read when it is whole.
            self._text += orjson.loads(body)["delta"]
            for found in SHOWN.finditer(self._text):
                turn.read.setdefault(int(found[2]), now)
            self._text = self._text[self._text.rfind(";") + 1 :]
        elif kind == ITEM:
            self._whole(turn, orjson.loads(body)["item"], now)
        elif kind == FAILED:
            turn.ended.set_exception(TurnFailed(body.decode()[:1000]))
        elif kind == STATUS:
            self._rest(turn, orjson.loads(body), now)
        self.last = kind.decode()

    def _whole(self, turn: Turn, item: dict[str, Any], now: int) -> None:
        """A terminal program's words come at once, when its transcript has them."""
        if item.get("type") == "message" and item.get("role") == "assistant" and not turn.first_read:
            turn.first_read = now
            for found in SHOWN.finditer("".join(part.get("text", "") for part in item["content"])):
                turn.read.setdefault(int(found[2]), now)

    def _rest(self, turn: Turn, told: dict[str, Any], now: int) -> None:
        if told["status"] == "failed":
            turn.ended.set_exception(TurnFailed(str(told)[:1000]))
        elif told["status"] == "idle" and turn.first_read:
            turn.ended.set_result(now)


class Talk(AbstractAsyncContextManager["Talk"]):
    """One session with its stream open."""

    def __init__(self, port: int, session_id: str, harness: str, vendor: Vendor) -> None:
        self._port = port
        self._session_id = session_id
        self._harness = harness
        self._vendor = vendor
        self._connection = Connection(port)
        self._reader: Reader | None = None

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        lines = (
            f"GET /v1/sessions/{self._session_id}/stream HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Accept: text/event-stream",
        )
        request = "\r\n".join([*lines, "", ""]).encode()
        _, self._reader = await asyncio.get_running_loop().create_connection(
            lambda: Reader(request), "127.0.0.1", self._port
        )
        await asyncio.wait_for(self._reader.opened, WAIT_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None and self._reader.transport is not None:
            self._reader.transport.close()
        await self._connection.__aexit__()

    async def turn(self, *, paced: int = 0) -> Turn:
        """One turn from its message to the session at rest. Raises TurnFailed."""
        assert self._reader is not None
        turn = self._vendor.turn(paced=paced)
        self._reader.follow(turn)
        body = message(turn.text_for(self._harness))
        turn.posted = time.perf_counter_ns()
        answer = await self._connection.request("POST", f"/v1/sessions/{self._session_id}/events", body)
        if answer.status != 202:
            raise TurnFailed(f"{answer.status} {answer.body.decode(errors='replace')[:500]}")
        try:
            await asyncio.wait_for(turn.ended, WAIT_SECONDS)
        except TimeoutError:
            asked = "was asked" if turn.asked else "was not asked"
            words = f"not over within {WAIT_SECONDS} s: the vendor {asked}, last came {self._reader.last!r}"
            raise TurnFailed(words) from None
        finally:
            self._vendor.forget(turn)
        return turn


async def agent_ids(port: int) -> dict[str, str]:
    """The ids of the server's agents by name."""
    agents = (await ask(port, "GET", "/v1/agents?limit=1000"))["data"]
    return {str(agent["name"]): str(agent["id"]) for agent in agents}


async def launched(port: int, agent_id: str) -> dict[str, Any]:
    """A session for which the host has started a runner, once a host is there."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await has_host(port):  # noqa: ASYNC110  only a request tells
            await asyncio.sleep(0.05)
    body = {"agent_id": agent_id, "host_id": "auto"}
    session: dict[str, Any] = await ask(port, "POST", "/v1/sessions", body, expect=201)
    return session


async def has_host(port: int) -> bool:
    """Whether a host is online."""
    return any(host["status"] == "online" for host in (await ask(port, "GET", "/v1/hosts"))["hosts"])


async def joined(port: int, agent_id: str, runner_id: str) -> str:
    """A session on a runner that is there already."""
    session = await ask(port, "POST", "/v1/sessions", {"agent_id": agent_id}, expect=201)
    await ask(port, "PATCH", f"/v1/sessions/{session['id']}", {"runner_id": runner_id})
    return str(session["id"])

"""A server with one session that a test plays by hand: it says what happens, and sees what is posted."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from omnigent_client import Event, OmnigentClient, Request, Turn
from tests.client.scripted_server import HEARTBEAT, QUICK, QUICK_STREAM, frame

SESSION_ID = "conv_1"
WAIT = 5.0


class Feed(httpx.AsyncByteStream):
    """What one connection is sent: frames from a queue until None."""

    def __init__(self, queue: "asyncio.Queue[bytes | None]") -> None:
        self._queue = queue

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield HEARTBEAT
        while (data := await self._queue.get()) is not None:
            yield data


class FakeSession(httpx.AsyncBaseTransport):
    """Answers snapshot, items, stream and events of a session; `posted` holds the posts not yet looked at."""

    def __init__(self, *, resume_after: int | None = 0, **snapshot: Any) -> None:
        self.snapshot: dict[str, Any] = {
            "id": SESSION_ID,
            "agent_id": "ag_1",
            "status": "idle",
            "created_at": 1,
            "resume_after": resume_after,
            **snapshot,
        }
        self.items: list[dict[str, Any]] = []
        self.is_gone = False
        self._snapshots = 0
        self._snapshot_read = asyncio.Condition()
        self.holds_posts = False
        self.timeouts = 0
        self.may_stream = asyncio.Event()
        self.may_stream.set()
        self.stream_asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.answer: dict[str, Any] = {"queued": True, "item_id": "item_1"}
        self.refusal: httpx.Response | None = None
        self.no_items: httpx.Response | None = None
        self.posted: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.opened: list[str | None] = []
        self._feed: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._seq = resume_after or 0

    @property
    def snapshots(self) -> int:
        """How often the snapshot has been read."""
        return self._snapshots

    def client(self) -> OmnigentClient:
        """A client of it."""
        return OmnigentClient("http://server.test", retry=QUICK, streaming=QUICK_STREAM, transport=self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(f"/v1/sessions/{SESSION_ID}")
        if request.method == "POST":
            return await self._take(path, json.loads(request.content))
        if self.is_gone:
            return httpx.Response(404, json={"error": {"code": "not_found", "message": "Session not found"}})
        if path == "/stream":
            self.opened.append(request.headers.get("last-event-id"))
            self.stream_asked.set()
            await self.may_stream.wait()
            headers = {"Content-Type": "text/event-stream", "X-Omnigent-Stream-Epoch": "1"}
            return httpx.Response(200, headers=headers, stream=Feed(self._feed))
        if path == "/items" and self.no_items is not None:
            return self.no_items
        if path == "/items":
            return httpx.Response(200, json={"data": self.items, "has_more": False})
        response = httpx.Response(200, json=self.snapshot)
        async with self._snapshot_read:
            self._snapshots += 1
            self._snapshot_read.notify_all()
        return response

    async def _take(self, path: str, body: Any) -> httpx.Response:
        await self.posted.put((path, body))
        is_message = path == "/events" and body["type"] == "message"
        if is_message and self.timeouts:
            self.timeouts -= 1
            raise httpx.ReadTimeout("held")
        if is_message and self.holds_posts:
            await self.let_go.wait()
        if is_message and self.refusal is not None:
            return self.refusal
        return httpx.Response(202, json=self.answer if is_message else {"queued": False})

    async def next_post(self) -> tuple[str, Any]:
        """What the client posts next: the path under the session, and the body."""
        return await asyncio.wait_for(self.posted.get(), WAIT)

    async def wait_for_snapshots(self, count: int) -> None:
        """Return when the snapshot has been read this often since the beginning."""
        async with self._snapshot_read:
            await asyncio.wait_for(self._snapshot_read.wait_for(lambda: self._snapshots >= count), WAIT)

    def say(self, type_: str, **members: Any) -> None:
        """An event in the log."""
        self._seq += 1
        self._feed.put_nowait(frame(type_, self._seq, **members))

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._feed.put_nowait(data)

    def hang_up(self) -> None:
        """End the connection."""
        self._feed.put_nowait(None)

    def take_in(self, item_id: str = "item_1") -> None:
        """The message is stored."""
        data = {"item_id": item_id, "type": "message", "data": {"role": "user", "content": []}}
        self.say("session.input.consumed", data=data)

    def status(self, status: str, **members: Any) -> None:
        """The status changes."""
        self.say("session.status", conversation_id=SESSION_ID, status=status, **members)

    def begin(self, response_id: str) -> None:
        """A response begins."""
        self.say("response.in_progress", response={"id": response_id, "status": "in_progress"})

    def end(self, response_id: str, how: str = "completed", **members: Any) -> None:
        """It ends."""
        self.say(f"response.{how}", response={"id": response_id, "status": how, **members})

    def message(self, text: str, item_id: str = "item_2", **members: Any) -> None:
        """The agent has said something."""
        self.say("response.output_item.done", item=said(text, item_id, **members))

    def call(self, name: str, call_id: str = "call_1", arguments: str = "{}") -> None:
        """The agent calls a tool of the client's."""
        item = {"type": "function_call", "status": "action_required", "name": name}
        self.say("response.output_item.done", item={**item, "call_id": call_id, "arguments": arguments})

    def ask(self, elicitation_id: str = "elicit_1", **params: Any) -> None:
        """Somebody must approve something."""
        self.say("response.elicitation_request", **elicitation(elicitation_id, **params))


def said(text: str, item_id: str = "item_2", **members: Any) -> dict[str, Any]:
    """An assistant's message as an item."""
    content = [{"type": "output_text", "text": text}]
    return {"id": item_id, "type": "message", "role": "assistant", "content": content, **members}


def elicitation(elicitation_id: str, **params: Any) -> dict[str, Any]:
    """A request as the snapshot and the stream show it."""
    return {
        "type": "response.elicitation_request",
        "elicitation_id": elicitation_id,
        "method": "elicitation/create",
        "params": {"mode": "url", "message": "May I?", **params},
    }


def running(client: OmnigentClient, **options: Any) -> "asyncio.Task[Turn]":
    """A turn under way."""
    request = Request(content="Hello", **options)
    return asyncio.create_task(client.sessions.run_turn(SESSION_ID, request, within=10))


class Seen:
    """Looks at a turn's events, and waits for the next one of a type."""

    def __init__(self) -> None:
        self._types: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, event: Event) -> None:
        await self._types.put(event.type)

    async def wait(self, type_: str) -> None:
        """Return when an event of this type has come."""
        while await asyncio.wait_for(self._types.get(), 30) != type_:
            pass

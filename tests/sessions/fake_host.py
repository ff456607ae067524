"""A host that dials in over ASGI and answers frames from a table."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from omnigent.api.asgi import Application
from omnigent.protocol import frames, host_frames

Handler = Callable[[Any], host_frames.Result]
Message = MutableMapping[str, Any]

HOST = "a" * 32


@dataclass
class FakeHost:
    """What the host was asked, and what it answers; a kind without a handler is never answered."""

    host_id: str
    handlers: dict[type, Handler] = field(default_factory=dict)
    readiness: Mapping[str, bool | str] | None = field(default_factory=lambda: {"scripted": True})
    capabilities: tuple[str, ...] = ("refresh_harnesses",)
    asked: list[Any] = field(default_factory=list)

    def asked_for(self, kind: type) -> list[Any]:
        """The frames of one kind that came."""
        return [frame for frame in self.asked if isinstance(frame, kind)]


def default_handlers() -> dict[type, Handler]:
    """A host on which every path is a directory and every launch works."""
    return {
        host_frames.Stat: lambda ask: host_frames.StatResult(
            request_id=ask.request_id, status="ok", exists=True, type="directory", canonical_path=ask.path
        ),
        host_frames.CreateDir: lambda ask: host_frames.CreateDirResult(
            request_id=ask.request_id, status="ok", path=ask.path.replace("~", "/home/me")
        ),
        host_frames.LaunchRunner: lambda ask: host_frames.LaunchRunnerResult(
            request_id=ask.request_id, status="launched"
        ),
        host_frames.StopRunner: lambda ask: host_frames.StopRunnerResult(
            request_id=ask.request_id, status="stopped"
        ),
        host_frames.CreateWorktree: lambda ask: host_frames.CreateWorktreeResult(
            request_id=ask.request_id,
            status="ok",
            worktree_path=f"{ask.repo_path}-worktrees/{ask.branch_name}",
            branch=ask.branch_name,
            workspace=f"{ask.repo_path}-worktrees/{ask.branch_name}",
        ),
        host_frames.RemoveWorktree: lambda ask: host_frames.RemoveWorktreeResult(
            request_id=ask.request_id, status="ok"
        ),
    }


@asynccontextmanager
async def connected(server: Application, host: FakeHost) -> AsyncIterator[FakeHost]:
    """Dial in, say hello, and answer until the block ends."""
    to_server: asyncio.Queue[Message] = asyncio.Queue()
    from_server: asyncio.Queue[Message] = asyncio.Queue()
    scope: MutableMapping[str, Any] = {
        "type": "websocket",
        "path": f"/v1/hosts/{host.host_id}/tunnel",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:6767"), (b"origin", b"omnigent://internal")],
        "client": ("127.0.0.1", 1),
        "subprotocols": [],
    }
    serving = asyncio.create_task(server(scope, to_server.get, from_server.put))
    await to_server.put({"type": "websocket.connect"})
    assert (await from_server.get())["type"] == "websocket.accept"
    hello = host_frames.HostHello(
        version="1",
        frame_protocol_version=1,
        name="vm",
        configured_harnesses=host.readiness,
        capabilities=host.capabilities,
    )
    await to_server.put({"type": "websocket.receive", "text": host_frames.render(hello)})
    answering = asyncio.create_task(_answer(host, to_server, from_server))
    try:
        yield host
    finally:
        answering.cancel()
        await to_server.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.gather(answering, serving, return_exceptions=True)


async def _answer(
    host: FakeHost, to_server: "asyncio.Queue[Message]", from_server: "asyncio.Queue[Message]"
) -> None:
    while True:
        message = await from_server.get()
        if message["type"] != "websocket.send":
            continue
        frame = host_frames.parse(message["text"])
        if isinstance(frame, frames.Ping):
            continue
        host.asked.append(frame)
        handler = host.handlers.get(type(frame))
        if handler is not None:
            text = host_frames.render(handler(frame))
            await to_server.put({"type": "websocket.receive", "text": text})


def failing(result: host_frames.Result, error: str) -> Handler:
    """Answer with this result, failed."""
    return lambda ask: replace(result, request_id=ask.request_id, status="failed", error=error)

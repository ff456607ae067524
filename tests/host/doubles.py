"""A server end of the host tunnel for tests, and a host that runs inside the test."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from omnigent.host.app import Host, HostTimes
from omnigent.host.config import HostOptions, resolve
from omnigent.host.readiness import ReadinessBoard, probe
from omnigent.host.runner_process import CONNECT_SECONDS, LaunchSettings
from omnigent.ids import runner_id_for
from omnigent.link import LinkRules

DEADLINE = 30.0


async def until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Wait for a truthy value, with a deadline."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not come about")


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


STUB_RUNNER = "tests.host.stub_runner"
# The results that are not called after their request.
RESULTS = {
    "host.fs_request": "host.fs_result",
    "host.fs_write_request": "host.fs_result",
    "host.import_local": "host.import_local_done",
    "host.import_local_by_id": "host.import_local_done",
}


@dataclass(kw_only=True)
class Tunnel:
    """One accepted connection of a host; frames are literal JSON."""

    socket: ServerConnection
    hello: dict[str, Any] = field(default_factory=dict)
    inbox: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)

    async def send(self, frame: Mapping[str, Any]) -> None:
        await self.socket.send(json.dumps(frame))

    async def receive(self, kind: str) -> dict[str, Any]:
        """The next frame, which must be of this kind."""
        frame = await asyncio.wait_for(self.inbox.get(), DEADLINE)
        assert frame["kind"] == kind, frame
        return frame

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """One request and its result."""
        request_id = secrets.token_hex(4)
        await self.send({"kind": kind, "request_id": request_id, **fields})
        result = await self.receive(RESULTS.get(kind, f"{kind}_result"))
        assert result["request_id"] == request_id
        return result

    async def launch(self, token: str, workspace: Path, **fields: Any) -> str:
        """Launch a runner that must start; its id."""
        result = await self.ask("host.launch_runner", binding_token=token, workspace=str(workspace), **fields)
        assert result["status"] == "launched", result
        assert result["runner_id"] == runner_id_for(token)
        return str(result["runner_id"])


class TunnelServer:
    """Accepts hosts; each connection that said hello comes out of `next_tunnel`."""

    def __init__(self) -> None:
        self.tunnels: asyncio.Queue[Tunnel] = asyncio.Queue()
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.close_codes: list[int | None] = []
        self.refusal: tuple[int, str] | None = None
        self.server: Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.server = await serve(self._serve, "127.0.0.1", self.port, process_request=self._answer)
        self.port = next(iter(self.server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()

    async def next_tunnel(self) -> Tunnel:
        return await asyncio.wait_for(self.tunnels.get(), DEADLINE)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Plain HTTP is not found here, and every handshake is answered with the refusal if there is one."""
        if self.refusal is not None:
            return connection.respond(HTTPStatus(self.refusal[0]), self.refusal[1])
        if "Upgrade" not in request.headers:
            return connection.respond(HTTPStatus.NOT_FOUND, "not here\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.paths.append(socket.request.path)
        self.headers.append(dict(socket.request.headers.raw_items()))
        tunnel = Tunnel(socket=socket)
        async for message in socket:
            frame = json.loads(message)
            if tunnel.hello:
                tunnel.inbox.put_nowait(frame)
            else:
                tunnel.hello = frame
                self.tunnels.put_nowait(tunnel)
        self.close_codes.append(socket.close_code)


@asynccontextmanager
async def tunnel_server() -> AsyncIterator[TunnelServer]:
    server = TunnelServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@dataclass(kw_only=True)
class RunningHost:
    """A host as a task of the test."""

    host: Host
    task: "asyncio.Task[int]"
    data_dir: Path

    async def stop(self) -> int:
        self.host.stop()
        return await asyncio.wait_for(self.task, DEADLINE)


@asynccontextmanager
async def running_host(
    server: TunnelServer,
    data_dir: Path,
    *,
    behaviour: str = "sleep",
    environ: Mapping[str, str] | None = None,
    readiness: ReadinessBoard | None = None,
    options: Mapping[str, Any] | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    look_seconds: float = 0.05,
) -> AsyncIterator[RunningHost]:
    """A host on this server whose runners are stubs; it is stopped at the end."""
    config = resolve(HostOptions(server=server.url, data_dir=str(data_dir), **(options or {})), environ or {})
    host = Host(
        config=config,
        launch=LaunchSettings(
            server_url=server.url,
            log_dir=config.log_dir,
            environ=environ or {},
            module=STUB_RUNNER,
            arguments=(behaviour,),
            stop_grace=0.3,
            connect_seconds=connect_seconds,
        ),
        readiness=readiness or ReadinessBoard(source=lambda: probe({})),
        rules=LinkRules(
            backoff_start=0.05, backoff_cap=0.1, recycle_delay=(0.01, 0.02), fatal_codes={4001: 1, 4009: 1}
        ),
        times=HostTimes(look_seconds=look_seconds, housekeeping_seconds=look_seconds),
    )
    running = RunningHost(host=host, task=asyncio.create_task(host.run()), data_dir=data_dir)
    try:
        yield running
    finally:
        await running.stop()


async def note_of(workspace: Path, runner_id: str) -> dict[str, Any]:
    """What a stub runner wrote about itself when it started."""
    path = workspace / f"{runner_id}.json"
    await until(path.exists, f"the note of {runner_id}")
    note: dict[str, Any] = json.loads(path.read_text())
    return note

"""A host without processes: it answers what the server asks and starts fake runners."""

import asyncio
from collections.abc import Callable
from typing import Any

from omnigent.ids import runner_id_for
from omnigent.protocol import frames, host_frames
from tests.api_plumbing.asgi_client import Socket
from tests.inputs.fake_runner import LOST, FakeRunner

HOST_ID = "a" * 32
Reply = Callable[[host_frames.LaunchRunner], dict[str, Any]]


def launched(ask: host_frames.LaunchRunner) -> dict[str, Any]:
    """The answer to a launch that works."""
    return {"status": "launched", "runner_id": runner_id_for(ask.binding_token)}


class FakeHost:
    """One daemon. `starts_runners` says whether what it launches dials in."""

    def __init__(self, server: Any, *, host_id: str = HOST_ID, starts_runners: bool = True) -> None:
        self.server = server
        self.host_id = host_id
        self.starts_runners = starts_runners
        self.reply: Reply = launched
        self.can_stop = True
        self.gone_word = "dead"
        self.on_start: Callable[[FakeRunner], None] | None = None
        self.alive: set[str] = set()
        self.launches: list[host_frames.LaunchRunner] = []
        self.asked_about: list[str] = []
        self.stopped: list[str] = []
        self.runners: dict[str, FakeRunner] = {}
        self._socket: Socket | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def runner(self) -> FakeRunner:
        """The runner launched last."""
        return list(self.runners.values())[-1]

    async def connect(self) -> None:
        """Dial in and say hello."""
        socket = Socket(self.server, f"/v1/hosts/{self.host_id}/tunnel")
        await socket.__aenter__()
        assert (await socket.next())["type"] == "websocket.accept"
        hello = host_frames.HostHello(
            version="0", frame_protocol_version=1, name="vm", configured_harnesses={"scripted": True}
        )
        socket.text(host_frames.render(hello))
        self._socket = socket
        self._reading = asyncio.create_task(self._read(socket))

    async def disconnect(self) -> None:
        """The connection goes."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.disconnect(LOST)
            await asyncio.wait_for(socket.task, 30)
        if self._reading is not None:
            self._reading.cancel()

    async def end(self) -> None:
        """The daemon and its runners end."""
        for runner in self.runners.values():
            await runner.end()
        await self.disconnect()

    def report_exit(self, runner_id: str, error: str, *, had_connected: bool) -> None:
        """Tell the server that a runner has died."""
        self.alive.discard(runner_id)
        self._say(host_frames.RunnerExited(runner_id=runner_id, error=error, had_connected=had_connected))

    def _say(self, frame: frames.Frame) -> None:
        assert self._socket is not None
        self._socket.text(host_frames.render(frame))

    async def _read(self, socket: Socket) -> None:
        while True:
            message = await socket.outgoing.get()
            if message["type"] == "websocket.close":
                self._socket = None
                socket.disconnect(message["code"])
                return
            if message["type"] == "websocket.send":
                self._take(host_frames.parse(message["text"]))

    def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Ping():
                self._say(frames.Pong(ts=frame.ts))
            case host_frames.LaunchRunner():
                self._launch(frame)
            case host_frames.StopRunner():
                self.stopped.append(frame.runner_id)
                self.alive.discard(frame.runner_id)
                word = "stopped" if self.can_stop else "failed"
                self._say(host_frames.StopRunnerResult(request_id=frame.request_id, status=word))
            case host_frames.Stat():
                self._say(
                    host_frames.StatResult(
                        request_id=frame.request_id,
                        status="ok",
                        exists=True,
                        type="directory",
                        canonical_path=frame.path,
                    )
                )
            case host_frames.RunnerStatus():
                self.asked_about.append(frame.runner_id)
                word = "alive" if frame.runner_id in self.alive else self.gone_word
                self._say(host_frames.RunnerStatusResult(request_id=frame.request_id, status=word))

    def _launch(self, ask: host_frames.LaunchRunner) -> None:
        self.launches.append(ask)
        answer = self.reply(ask)
        self._say(host_frames.LaunchRunnerResult(request_id=ask.request_id, **answer))
        if answer["status"] == "launched" and self.starts_runners:
            task = asyncio.create_task(self.start(ask))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def start(self, ask: host_frames.LaunchRunner) -> None:
        """Start the runner of a launch: it dials in."""
        runner = FakeRunner(self.server, token=ask.binding_token)
        self.runners[runner.runner_id] = runner
        if self.on_start is not None:
            self.on_start(runner)
        self.alive.add(runner.runner_id)
        await runner.connect()

"""What surrounds serving: draining, and the local host as a child."""

import asyncio
import sys
import time
from pathlib import Path

import psutil

from omnigent.serving.host_child import HostChild
from omnigent.serving.lifecycle import Lifecycle

WRITE_PID = "import os, pathlib, sys; pathlib.Path(sys.argv[1], str(os.getpid())).touch()"
SLEEP = "import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WRITE_PID}; {SLEEP}"


def pids(directory: Path) -> list[int]:
    return [int(path.name) for path in directory.iterdir()]


async def until_started(directory: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 10
    while len(pids(directory)) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return pids(directory)


def child(directory: Path, program: str, *, grace: float = 5.0) -> HostChild:
    return HostChild([sys.executable, "-c", program, str(directory)], grace_seconds=grace)


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    host = child(tmp_path, WRITE_PID)
    host.start()

    started = await until_started(tmp_path, 2)
    await host.stop()

    assert len(set(started)) >= 2


async def test_stopping_ends_the_child(tmp_path: Path) -> None:
    host = child(tmp_path, f"{WRITE_PID}; {SLEEP}")
    host.start()
    [pid] = await until_started(tmp_path, 1)

    await host.stop()

    assert not psutil.pid_exists(pid)
    assert pids(tmp_path) == [pid]


async def test_a_child_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    host = child(tmp_path, STUBBORN, grace=0.2)
    host.start()
    [pid] = await until_started(tmp_path, 1)

    await host.stop()

    assert not psutil.pid_exists(pid)


async def test_stopping_before_starting_is_nothing(tmp_path: Path) -> None:
    await child(tmp_path, WRITE_PID).stop()

    assert pids(tmp_path) == []


class Recorder:
    """A process object that is slow or broken when it should leave."""

    def __init__(self, *, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def drain(self) -> None:
        self.calls.append("drain")
        if self.error is not None:
            raise self.error
        await asyncio.sleep(self.seconds)

    async def stop(self) -> None:
        self.calls.append("stop")


async def test_draining_is_bounded_in_time() -> None:
    process = Recorder(seconds=60)
    lifecycle = Lifecycle(process=process, announce=lambda: None, drain_seconds=0.05)

    await asyncio.wait_for(lifecycle.drain(), 30)
    await lifecycle.stop()

    assert process.calls == ["drain", "stop"]


async def test_a_failing_drain_does_not_prevent_the_stop() -> None:
    process = Recorder(error=RuntimeError("no"))
    lifecycle = Lifecycle(process=process, announce=lambda: None, drain_seconds=1.0)

    await lifecycle.drain()
    await lifecycle.stop()

    assert process.calls == ["drain", "stop"]


async def test_serving_announces_once_and_starts_the_host(tmp_path: Path) -> None:
    said: list[str] = []
    host = child(tmp_path, f"{WRITE_PID}; {SLEEP}")
    lifecycle = Lifecycle(
        process=Recorder(), announce=lambda: said.append("here"), drain_seconds=5.0, host=host
    )

    await lifecycle.start()
    lifecycle.serving()
    [pid] = await until_started(tmp_path, 1)
    await lifecycle.drain()

    assert said == ["here"]
    assert not psutil.pid_exists(pid)

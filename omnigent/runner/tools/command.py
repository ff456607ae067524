"""One command in a process group of its own: with a deadline, a bounded output and no survivors."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.runner.sandbox.entry import Entry
from omnigent.runner.tools.base import ToolError
from omnigent.runner.tools.capture import Capture
from omnigent.runner.tools.reaper import Reaper, kill_group

MAX_TIMEOUT: Final = 7200.0
SHELL: Final = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
# The command waits for a line, which comes once its group is registered: if the runner dies before that,
# there is none and the command never starts.
_GATE: Final = 'read -r _ || exit 126; exec "$@" </dev/null'
_TERM_GRACE: Final = 0.5
_PIPE_GRACE: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How a command ended; `errors` is empty unless they were kept apart. A signal's code is negative."""

    output: str
    errors: str
    exit_code: int | None
    timed_out: bool


async def run_command(entry: Entry, reaper: Reaper, *, seconds: float, apart: bool = False) -> Ran:
    """Run it to its end or to the deadline. Cancelling ends it too. Raises ToolError when it cannot start."""
    outputs: list[_Output] = []
    writers: list[int] = []
    try:
        for _ in range(2 if apart else 1):
            reader, writer = os.pipe()
            writers.append(writer)
            outputs.append(await _Output.of(reader))
        process = await _start(entry, reaper, writers[0], writers[-1])
    except (OSError, ValueError) as exc:
        for output in outputs:
            output.close()
        raise ToolError(f"the command cannot be started: {exc}") from exc
    finally:
        for writer in writers:
            os.close(writer)
    timed_out = False
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        timed_out = process.returncode is None
    finally:
        await asyncio.shield(_finish(process, outputs, reaper))
    return Ran(
        output=outputs[0].capture.text(),
        errors=outputs[1].capture.text() if apart else "",
        exit_code=process.returncode,
        timed_out=timed_out,
    )


class _Output(asyncio.Protocol):
    """The reading end of a command's output. Background processes may hold the other end for ever."""

    def __init__(self) -> None:
        self.capture = Capture()
        self.ended = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None

    @classmethod
    async def of(cls, descriptor: int) -> "_Output":
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        _, output = await asyncio.get_running_loop().connect_read_pipe(cls, pipe)
        return output

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.capture.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _start(entry: Entry, reaper: Reaper, output: int, errors: int) -> Process:
    """The process, with its group registered before the command begins."""
    waits, go = os.pipe()
    try:
        with entry.opened() as (line, descriptors):
            process = await asyncio.create_subprocess_exec(
                *(SHELL, "-c", _GATE, SHELL, *line),
                stdin=waits,
                stdout=output,
                stderr=errors,
                cwd=entry.directory,
                env=dict(entry.environment),
                pass_fds=descriptors,
                start_new_session=True,
            )
        reaper.register(process.pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(go, b"\n")
        return process
    finally:
        os.close(waits)
        os.close(go)


async def _finish(process: Process, outputs: Sequence[_Output], reaper: Reaper) -> None:
    """End the group when the command has not ended by itself, and stop reading."""
    if process.returncode is None:
        kill_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TERM_GRACE):
                await process.wait()
        kill_group(process.pid, signal.SIGKILL)
        await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PIPE_GRACE):
            for output in outputs:
                await output.ended.wait()
    for output in outputs:
        output.close()
    if not kill_group(process.pid, 0):
        reaper.release(process.pid)

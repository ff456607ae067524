"""`sys_os_shell`: a command in the workspace, with a deadline, a bounded output and no survivors."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import STDOUT, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.cleantext import clean
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.sandbox.entry import Entry
from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.room import Confinement
from omnigent.runner.tools.base import ToolContext, ToolError, number_argument, text_argument
from omnigent.runner.tools.capture import Capture
from omnigent.runner.tools.reaper import Reaper, kill_group

DEFAULT_TIMEOUT: Final = 120.0
MAX_TIMEOUT: Final = 7200.0
# The command waits for a line, which comes once its group is registered: if the runner dies before that,
# there is none and the command never starts.
_GATE: Final = 'read -r _ || exit 126; exec "$@" </dev/null'
_TERM_GRACE: Final = 0.5
_PIPE_GRACE: Final = 0.2
_SHELL: Final = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"


class Shell:
    """Runs one command line per call, each in a process group of its own.

    What a command leaves in the background goes on until the runner ends, without its output; in a sandbox
    it ends with the command.
    """

    mutates = True
    schema = ToolSchema(
        name="sys_os_shell",
        description="Run a shell command in the workspace and return its output.",
        parameters={
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The command line."},
                "timeout": {
                    "type": "number",
                    "description": f"Seconds after which it is killed, {DEFAULT_TIMEOUT:g} by default.",
                },
            },
            "required": ["command"],
        },
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        command = text_argument(arguments, "command")
        timeout = min(number_argument(arguments, "timeout", DEFAULT_TIMEOUT), MAX_TIMEOUT)
        if "\x00" in command:
            raise ToolError("command: must not contain NUL")
        try:
            entry = await context.rooms.of(Confinement).entry((_SHELL, "-c", command), context)
        except SandboxError as exc:
            raise ToolError(str(exc)) from exc
        reader, writer = os.pipe()
        output = await _Output.of(reader)
        try:
            process = await _start(entry, context.reaper, writer)
        except (OSError, ValueError) as exc:
            output.close()
            raise ToolError(f"the command cannot be started: {exc}") from exc
        finally:
            os.close(writer)
        timed_out = False
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            timed_out = process.returncode is None
        finally:
            await asyncio.shield(_finish(process, output, context.reaper))
        return clean(_report(output.capture.text(), process.returncode, timeout if timed_out else None))


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


async def _start(entry: Entry, reaper: Reaper, output: int) -> Process:
    """The process, with its group registered before the command begins."""
    waits, go = os.pipe()
    try:
        with entry.opened() as (line, descriptors):
            process = await asyncio.create_subprocess_exec(
                *(_SHELL, "-c", _GATE, _SHELL, *line),
                stdin=waits,
                stdout=output,
                stderr=STDOUT,
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


async def _finish(process: Process, output: _Output, reaper: Reaper) -> None:
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
            await output.ended.wait()
    output.close()
    if not kill_group(process.pid, 0):
        reaper.release(process.pid)


def _report(output: str, returncode: int | None, timed_out_after: float | None) -> str:
    if timed_out_after is not None:
        note = f"[timed out after {timed_out_after:g} s; the process group was killed]"
    elif returncode is not None and returncode < 0:
        note = f"[killed by signal {-returncode}]"
    elif returncode:
        note = f"[exit code {returncode}]"
    else:
        return output
    separator = "" if not output or output.endswith("\n") else "\n"
    return f"{output}{separator}{note}\n"

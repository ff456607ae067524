"""An MCP server as a process: one JSON message a line, no survivors, and bounds on what it may send.

The package's own transport neither registers the process with the reaper nor bounds a line.
"""

import asyncio
import contextlib
import signal
from asyncio.subprocess import Process
from types import TracebackType
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from omnigent.runner.mcp.base import Definition
from omnigent.runner.tools.child import Child
from omnigent.runner.tools.reaper import Reaper, kill_group

LONGEST_LINE: Final = 16 * 1024 * 1024
STDERR_TAIL: Final = 8 * 1024
_CHUNK: Final = 64 * 1024
_NOT_FOUND: Final = 127
# The command waits for a line, which comes once its group is registered: if the runner dies before that,
# there is none and the command never starts. A shell reads no further than the line.
_GATE: Final = 'read -r _ || exit 126; exec "$@"'
_CLOSE_GRACE: Final = 1.0
_TERM_GRACE: Final = 0.5
_KILL_GRACE: Final = 5.0

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


class StdioServer:
    """A transport for `mcp.Client`. Entered once; leaving it ends the process and all it started."""

    def __init__(self, definition: Definition, reaper: Reaper) -> None:
        self._definition = definition
        self._reaper = reaper
        self._child: Child | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self._stderr = bytearray()
        self._fault: str | None = None
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Streams:
        """Raises OSError or ValueError when there is no shell or directory to start it in."""
        definition = self._definition
        assert definition.command is not None
        child = await Child.start(
            "/bin/sh",
            "-c",
            _GATE,
            "sh",
            definition.command,
            *definition.args,
            cwd=definition.workspace,
            env=definition.environment,
        )
        process = child.process
        self._reaper.register(process.pid)
        self._child = child
        assert process.stdin is not None
        process.stdin.write(b"\n")
        incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, sent = anyio.create_memory_object_stream[SessionMessage](0)
        self._pumps = [
            asyncio.create_task(self._read(child, incoming), name=f"mcp-out-{definition.name}"),
            asyncio.create_task(self._write(process, sent), name=f"mcp-in-{definition.name}"),
            asyncio.create_task(self._listen(process), name=f"mcp-err-{definition.name}"),
            asyncio.create_task(self._watch(child), name=f"mcp-exit-{definition.name}"),
        ]
        return received, outgoing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.create_task(self._finish()))

    @property
    def is_over(self) -> bool:
        """Whether it says no more."""
        return self._ended.is_set()

    async def ended(self) -> None:
        """Wait until it says no more."""
        await self._ended.wait()

    @property
    def fault(self) -> str | None:
        """How it ended by itself; None while it runs and when it was told to end."""
        return self._fault

    def stderr(self) -> str:
        """The end of what it wrote to its error output, without its secrets."""
        return self._definition.told(bytes(self._stderr).decode("utf-8", "replace"))

    async def _read(self, child: Child, incoming: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Pass on messages. What is none is left out: some servers print to their output."""
        process = child.process
        assert process.stdout is not None
        line = bytearray()
        try:
            async with incoming:
                while data := await process.stdout.read(_CHUNK):
                    first, *others = data.split(b"\n")
                    line += first
                    for other in others:
                        await _pass_on(bytes(line), incoming)
                        line = bytearray(other)
                    if len(line) > LONGEST_LINE:
                        self._fault = f"it sent a message of more than {LONGEST_LINE} bytes"
                        kill_group(process.pid, signal.SIGKILL)
                        break
                await child.gone(_CLOSE_GRACE)
                self._fault = self._fault or _ending(process.returncode)
                self._ended.set()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
        finally:
            self._ended.set()

    async def _write(self, process: Process, sent: MemoryObjectReceiveStream[SessionMessage]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            async with sent:
                async for message in sent:
                    text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                    process.stdin.write(text.encode() + b"\n")
                    await process.stdin.drain()

    async def _listen(self, process: Process) -> None:
        assert process.stderr is not None
        while data := await process.stderr.read(_CHUNK):
            self._stderr += data
            del self._stderr[:-STDERR_TAIL]

    async def _watch(self, child: Child) -> None:
        """It is over when the process is gone, also while another one holds its output open."""
        await child.exited.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_GRACE):
                await self._ended.wait()
        self._fault = self._fault or _ending(child.process.returncode)
        self._ended.set()

    async def _finish(self) -> None:
        """Close its input, and end the group when that does not."""
        child = self._child
        if child is None:
            return
        process = child.process
        assert process.stdin is not None
        process.stdin.close()
        await child.gone(_CLOSE_GRACE)
        if kill_group(process.pid, signal.SIGTERM):
            await child.gone(_TERM_GRACE)
            kill_group(process.pid, signal.SIGKILL)
        await child.gone(_KILL_GRACE)
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        child.close()
        self._reaper.release(process.pid)


def _ending(returncode: int | None) -> str:
    if returncode is None:
        return "it closed its output"
    if returncode == _NOT_FOUND:
        return "its command was not found"
    if returncode < 0:
        return f"it was killed by signal {-returncode}"
    return f"it ended with exit code {returncode}"


async def _pass_on(line: bytes, incoming: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return
    await incoming.send(SessionMessage(message))

"""A child process in a group of its own, whose exit is known also while others hold its pipes open."""

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LIMIT: Final = 64 * 1024


class _Protocol(SubprocessStreamProtocol):
    def __init__(self) -> None:
        super().__init__(limit=_LIMIT, loop=asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


@dataclass(frozen=True, slots=True)
class Child:
    """`Process.wait` also waits for the end of the pipes, which a process left behind may never bring."""

    process: Process
    exited: asyncio.Event
    _transport: asyncio.SubprocessTransport

    @classmethod
    async def start(
        cls, *command: str, cwd: Path, env: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> "Child":
        """Raises OSError or ValueError when it cannot be started."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            _Protocol,
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=cwd,
            env=dict(env),
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
        return cls(Process(transport, protocol, loop), protocol.exited, transport)

    async def gone(self, seconds: float) -> bool:
        """Whether it ends in so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.exited.wait()
        return self.exited.is_set()

    def close(self) -> None:
        """Close this end of its pipes."""
        self._transport.close()

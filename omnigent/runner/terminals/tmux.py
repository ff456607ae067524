"""A tmux server of its own for one session, on a socket in a private directory."""

import asyncio
import contextlib
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from omnigent.runner.terminals import keeper
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.places import Place, new_place

COMMAND_SECONDS: Final = 20.0
_START_SECONDS: Final = 20.0
_LEAVE_SECONDS: Final = 15.0
_KEEPER: Final = str(Path(keeper.__file__))
_SETTINGS: Final = """\
set -s exit-empty off
set -s escape-time 0
set -s set-clipboard off
set -g status off
set -g prefix None
set -g update-environment ''
set -g default-terminal screen-256color
set -g remain-on-exit on
set -gq remain-on-exit-format ''
set -gq allow-passthrough off
set -g allow-rename off
set -g automatic-rename off
set-hook -g pane-died 'run-shell -C "wait-for -S ended#{hook_pane}"'
unbind -a
"""


class TmuxServer:
    """Starts with `start`, ends with `close` or with the process that started it."""

    def __init__(self, place: Place, keeper: Process, environment: Mapping[str, str]) -> None:
        self.place = place
        self.pid = 0
        self._keeper = keeper
        self._environment = environment

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> "TmuxServer":
        """A server that listens. `environment` says where programs are. Raises TerminalError."""
        program = shutil.which("tmux", path=environment.get("PATH", os.defpath))
        if program is None:
            raise TerminalError("terminals need tmux, which is not installed here")
        own = {"PATH": environment.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        place = await asyncio.to_thread(new_place)
        try:
            settings = place.directory / "conf"
            settings.write_text(_SETTINGS)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", _KEEPER, program, str(place.socket), str(settings)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=own,
                cwd="/",
                pass_fds=(place.lock,),
                start_new_session=True,
            )
        finally:
            os.close(place.lock)
        server = cls(place, process, own)
        assert process.stdout is not None
        line = b""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_START_SECONDS):
                    line = await process.stdout.readline()
        finally:
            if line != b"ready\n":
                await server.close()
        if line != b"ready\n":
            raise TerminalError("tmux did not start")
        try:
            server.pid = int(await server.run("display-message", "-p", "#{pid}"))
        except BaseException:
            await server.close()
            raise
        return server

    @property
    def is_alive(self) -> bool:
        return self._keeper.returncode is None

    async def run(self, *arguments: str, given: bytes | None = None, patient: bool = False) -> str:
        """One tmux command and what it printed; `given` is its input. Raises TerminalError.

        A patient one may take as long as it likes.
        """
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-u", "-N", "-S", str(self.place.socket), *arguments),
            stdin=DEVNULL if given is None else PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=dict(self._environment),
        )
        try:
            async with asyncio.timeout(None if patient else COMMAND_SECONDS):
                printed, complaint = await process.communicate(given)
        except TimeoutError:
            raise TerminalError("tmux did not answer") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            said = complaint.decode("utf-8", "replace").strip()
            raise TerminalError(f"tmux refused {arguments[0]}: {said or 'without a word'}")
        return printed.decode("utf-8", "replace")

    async def attach(self, session: str, *, ignores_size: bool) -> Process:
        """A client in control mode, which says nothing of output until it is told to; the caller ends it."""
        return await asyncio.create_subprocess_exec(
            *("tmux", "-u", "-N", "-S", str(self.place.socket), "-C", "attach-session", "-t", f"={session}"),
            *("-f", "no-output,ignore-size" if ignores_size else "no-output"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=dict(self._environment),
        )

    async def close(self) -> None:
        """End the server and everything that runs in it."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._keeper.wait()
        if self._keeper.returncode is None:
            self._keeper.kill()
            await self._keeper.wait()
        await asyncio.to_thread(shutil.rmtree, self.place.directory, ignore_errors=True)

"""The sandbox of one session: what its tools see, and the /tmp that they share."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from omnigent.runner.rooms import Home
from omnigent.runner.sandbox.bubblewrap import require
from omnigent.runner.sandbox.calls import filter_program
from omnigent.runner.sandbox.entry import Entry
from omnigent.runner.sandbox.mounts import grants_of, homes, options
from omnigent.runner.sandbox.rules import NONE, backend_of
from omnigent.runner.sandbox.variables import confined
from omnigent.runner.tools.base import ToolContext
from omnigent.spec.machine import OsEnv

_FILTER: Final = filter_program()


class Confinement:
    """A room."""

    def __init__(self, home: Home) -> None:
        self._bubblewrap = home.runtime.bubblewrap
        self._scratch: Path | None = None
        self._making = asyncio.Lock()

    async def entry(
        self,
        command: Sequence[str],
        context: ToolContext,
        *,
        os_env: OsEnv | None = None,
        directory: Path | None = None,
        extra: Sequence[Path] = (),
    ) -> Entry:
        """How to start a command as the agent's `os_env` says, or another one. Raises SandboxError.

        It sees files and directories `extra` besides, to read. Without an `os_env` nothing is confined.
        """
        cwd = directory or context.workspace.root
        env = os_env or context.spec.os_env
        if env is None:
            return Entry(command=command, directory=cwd, environment=context.environment)
        await require(env, self._bubblewrap)
        sandbox = env.sandbox
        if backend_of(sandbox) == NONE:
            return Entry(command=command, directory=cwd, environment=context.environment)
        scratch = await self._scratch_directory()
        home = homes(context.environment.get("HOME"))
        grants = await asyncio.to_thread(grants_of, sandbox, cwd, home)
        mounted = await asyncio.to_thread(options, sandbox, cwd, scratch, grants, extra)
        return Entry(
            command=command,
            directory=cwd,
            environment=confined(context.environment, sandbox),
            program=self._bubblewrap.program,
            options=[*self._bubblewrap.isolation(network=sandbox.allow_network), *mounted],
            filter_program=_FILTER,
        )

    async def close(self) -> None:
        async with self._making:
            if self._scratch is not None:
                await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
                self._scratch = None

    async def _scratch_directory(self) -> Path:
        async with self._making:
            if self._scratch is None:
                self._scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="omnigent-scratch-"))
            return self._scratch


def interpreter() -> list[Path]:
    """What a Python program of this interpreter needs to see."""
    places = (Path(sys.prefix), Path(sys.base_prefix))
    real = (Path(sys.executable).resolve().parent.parent,)
    return [place for place in dict.fromkeys((*places, *real)) if not place.is_relative_to("/usr")]

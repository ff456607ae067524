"""The bubblewrap program of this machine: whether it works here, found out once by running it."""

import asyncio
import contextlib
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from typing import Final

from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.rules import BWRAP, NONE, backend_of, environments, require_possible
from omnigent.spec.machine import OsEnv, Sandbox
from omnigent.spec.types import AgentSpec

PROBE_SECONDS: Final = 20.0
_ALONE: Final = ("--unshare-user", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup-try")
_TIED: Final = ("--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox")
_TRIAL: Final = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
_NO_MORE: Final = "--disable-userns"
_OVERLAY: Final = "--tmp-overlay"


class Bubblewrap:
    """`program` and `isolation` are known after a successful `require`."""

    def __init__(self, path: str | None = None) -> None:
        """`path` is where the program is looked for, as PATH of this process when it is None."""
        self._path = path
        self._checking = asyncio.Lock()
        self._known: dict[bool, str] = {}
        self._options = ""
        self._nested: tuple[str, ...] = ()
        self.program = ""

    async def require(self, sandbox: Sandbox) -> None:
        """Raises SandboxError when this machine cannot give what is asked for."""
        program = shutil.which("bwrap", path=self._path)
        if program is None:
            raise SandboxError(
                f"os_env.sandbox: {BWRAP} needs the program bwrap, which is not installed; "
                "install bubblewrap, or let the agent say `sandbox: {type: none}`"
            )
        self.program = program
        async with self._checking:
            if sandbox.allow_network not in self._known:
                self._known[sandbox.allow_network] = await self._tried(network=sandbox.allow_network)
        if fault := self._known[sandbox.allow_network]:
            raise SandboxError(
                f"os_env.sandbox: bwrap does not work on this machine ({fault}); "
                "allow user namespaces, or let the agent say `sandbox: {type: none}`"
            )
        if any(one.copy_on_write for one in sandbox.write_paths) and _OVERLAY not in self._options:
            raise SandboxError(
                "os_env.sandbox.write_paths: copy_on_write needs a bwrap with overlays, which this is not"
            )

    def isolation(self, *, network: bool) -> tuple[str, ...]:
        """Options for namespaces of its own, the least rights, and an end with whoever started it."""
        return (*_ALONE, *(() if network else ("--unshare-net",)), *_TIED, *self._nested)

    async def _tried(self, *, network: bool) -> str:
        """What it complains about; empty when it works."""
        _, self._options = await self._run("--help")
        nested = (_NO_MORE,) if _NO_MORE in self._options else ()
        fault = ""
        # A container may forbid this last step, which only narrows what a program could try.
        for self._nested in dict.fromkeys((nested, ())):
            code, said = await self._run(
                *self.isolation(network=network), *_TRIAL, "--", "/bin/sh", "-c", ":"
            )
            if code == 0:
                return ""
            fault = said.strip()[:300] or f"exit code {code}"
        return fault

    async def _run(self, *arguments: str) -> tuple[int, str]:
        try:
            process = await asyncio.create_subprocess_exec(
                self.program, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env={}, cwd="/"
            )
        except OSError as exc:
            return -1, str(exc)
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                said, _ = await process.communicate()
        except TimeoutError:
            return -1, f"no answer within {PROBE_SECONDS:g} s"
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, said.decode("utf-8", "replace")


async def require(os_env: OsEnv, bubblewrap: Bubblewrap) -> None:
    """Raises SandboxError when what it says about confinement cannot be kept here."""
    require_possible(os_env)
    if backend_of(os_env.sandbox) != NONE:
        await bubblewrap.require(os_env.sandbox)


async def require_all(spec: AgentSpec, bubblewrap: Bubblewrap) -> None:
    """The same for everything that an agent may run. Raises SandboxError."""
    for os_env in environments(spec):
        await require(os_env, bubblewrap)

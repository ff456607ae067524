"""The local host daemon as a child: started with the server, restarted when it dies, ended with it."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
STABLE_SECONDS = 30.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0


def host_command(server_url: str) -> list[str]:
    return [sys.executable, "-m", "omnigent.host", "--server", server_url]


class HostChild:
    """Keeps one child running. It leads a process group of its own, so that Ctrl-C in a terminal reaches only
    the server, which then ends the child in order; should the server be killed, the kernel ends the child.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, grace_seconds: float = 5.0
    ) -> None:
        self.command = list(command)
        self.env = env
        self.grace_seconds = grace_seconds
        self.child: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin keeping the child alive; needs a running loop."""
        self._keeper = asyncio.ensure_future(self._keep())

    async def stop(self) -> None:
        """End the child: SIGTERM to its group, SIGKILL when the grace is over."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        child = self.child
        if child is None or child.poll() is not None:
            return
        signal_group(child, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.grace_seconds):
                await exited(child)
        self.kill()

    def kill(self) -> None:
        """End at once whatever is left of it."""
        if self.child is not None and self.child.poll() is None:
            signal_group(self.child, signal.SIGKILL)
            self.child.wait()

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            started = time.monotonic()
            self.child = spawn(self.command, self.env)
            await exited(self.child)
            lived = time.monotonic() - started
            delay = FIRST_DELAY if lived > STABLE_SECONDS else delay
            logger.warning(
                "host_exited",
                extra={"code": self.child.returncode, "lived": round(lived, 1), "restart_in": delay},
            )
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)


def spawn(command: Sequence[str], env: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        env=None if env is None else dict(env),
        process_group=0,
        preexec_fn=die_with_parent(),  # one system call, which takes no lock
    )


def die_with_parent() -> Callable[[], None] | None:
    """What the child runs before exec, so that kill -9 of the server does not leave it behind (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died before the call, and then no signal would ever come.
        if os.getppid() != parent:
            os._exit(1)

    return arm


async def exited(child: "subprocess.Popen[bytes]") -> None:
    await asyncio.to_thread(child.wait)


def signal_group(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)

"""Keeps one tmux server: when the runner goes, however it goes, the server and all that it started go too.

Run as a script with the standard library only. Arguments: the tmux program, its socket and its settings.
Standard input is the other end of the runner's pipe; `ready` on standard output tells that the server
listens. An inherited descriptor holds the lock of the server's directory for as long as this process lives.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
START_SECONDS = 10.0
LEAVE_SECONDS = 1.0


def main(tmux: str, address: str, settings: str) -> None:
    """Serve until standard input ends or tmux does."""
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    prctl(SUBREAPER, 1)
    server = subprocess.Popen(
        [tmux, "-u", "-D", "-S", address, "-f", settings],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=started,
    )
    try:
        if listens(address, server):
            with contextlib.suppress(OSError):
                os.write(1, b"ready\n")
            follow(server, woken)
    finally:
        leave(server)


def started() -> None:
    """What the server's process does before it becomes tmux."""
    os.setsid()
    prctl(DEATH_SIGNAL, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def prctl(option: int, value: int) -> None:
    """Ask the kernel, where it is Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def listens(address: str, server: "subprocess.Popen[bytes]") -> bool:
    """Whether the server took a connection in time."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with socket.socket(socket.AF_UNIX) as attempt:
            try:
                attempt.connect(address)
            except OSError:
                time.sleep(0.01)
            else:
                return True
    return False


def follow(server: "subprocess.Popen[bytes]", woken: int) -> None:
    """Collect orphans until the runner's end of the pipe closes or the server is gone."""
    while server.poll() is None:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            collect(server.pid)
        if 0 in ready and not os.read(0, 4096):
            return


def collect(spared: int) -> None:
    """Take the exit codes of orphans; the server's is left to its owner."""
    for child in list(children()):
        if child != spared:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def leave(server: "subprocess.Popen[bytes]") -> None:
    """End the server, which hangs up on its programs, then whatever did not listen."""
    if server.poll() is None:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(LEAVE_SECONDS)
        server.kill()
    server.wait()
    waited(lambda: not any(children()), LEAVE_SECONDS)
    until = time.monotonic() + START_SECONDS
    while (left := list(children())) and time.monotonic() < until:
        for child in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        waited(lambda: not any(children()), 0.05)


def waited(condition: Callable[[], bool], seconds: float) -> None:
    """Collect children until it holds, or for so many seconds."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def children() -> Iterator[int]:
    """Processes whose parent this one is, also by adoption; where there is no /proc, none."""
    for entry in os.scandir("/proc") if Path("/proc/self/stat").exists() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == os.getpid():
                    yield int(entry.name)


if __name__ == "__main__":
    main(*sys.argv[1:4])

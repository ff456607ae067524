"""Start, await and end programs of the system that tests need; root lends them an unprivileged user."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scripts.programs import guarded

POLL_SECONDS = 0.02


class ServiceError(Exception):
    """A program did not start, or ended when it should not; the message carries its log."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def password() -> str:
    """A password for a server that lives as long as one test run."""
    return secrets.token_hex(16)


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom root runs servers as (PostgreSQL refuses root); None when we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return known[name]
    raise ServiceError("root needs a user named postgres or nobody to run servers as")


def identity() -> dict[str, Any]:
    """Arguments for Popen that drop root."""
    user = unprivileged_user()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def private_directory(name: str) -> Iterator[Path]:
    """A temporary directory that belongs to whoever runs the server; removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix=f"omnigent-{name}-", dir="/tmp"))
    user = unprivileged_user()
    if user is not None:
        os.chown(directory, user.pw_uid, user.pw_gid)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def start(command: Sequence[str], *, directory: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server that ends with us even if we are killed."""
    return subprocess.Popen(
        guarded(command),
        cwd=directory,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **identity(),
    )


def wait_until(
    ready: Callable[[], bool], *, process: subprocess.Popen[bytes], log: Path, seconds: float = 30
) -> None:
    """Return once `ready()`; raise with the log when the process ends or time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise ServiceError(f"ended with code {process.returncode}:\n{log.read_text(errors='replace')}")
        if time.monotonic() > deadline:
            raise ServiceError(f"not ready within {seconds} s:\n{log.read_text(errors='replace')}")
        time.sleep(POLL_SECONDS)


def end(process: subprocess.Popen[bytes], *, first: signal.Signals, seconds: float = 10) -> None:
    """End a server: politely, then for certain."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()

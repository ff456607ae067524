"""A server with a host for one example: private files, ended with whoever started it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from omnigent_client import OmnigentClient
from scripts.programs import guarded

ROOT: Final = Path(__file__).resolve().parent.parent
READY_SECONDS: Final = 90.0
END_SECONDS: Final = 20.0
LOG_CHARS: Final = 4000
_ANNOUNCED: Final = "Omnigent is at "
_POLL_SECONDS: Final = 0.1


class NotReady(Exception):
    """The server or its host did not come up; the message ends with what they printed."""


@asynccontextmanager
async def own_server(
    harnesses: set[str], variables: Mapping[str, str], *, is_private: bool
) -> AsyncIterator[str]:
    """The address of a server whose host has these harnesses ready. Raises NotReady.

    `variables` join the environment of both. With `is_private` they also get an empty home directory, so that
    no login of the person who runs this is used.
    """
    directory = Path(tempfile.mkdtemp(prefix="omnigent-example-"))
    try:
        server = _Server(directory, {**_places(directory, is_private=is_private), **variables})
        try:
            yield await server.ready(harnesses)
        finally:
            await asyncio.shield(asyncio.to_thread(server.end))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Server:
    """The process."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self._log = directory / "server.log"
        command = [sys.executable, "-m", "omnigent.server", "--port", "0", "--with-host", "--migrate"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                guarded(command),
                cwd=ROOT,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this process, which then ends the server in order.
                start_new_session=True,
            )

    async def ready(self, harnesses: set[str]) -> str:
        """The address, once the host is online and reports every harness as ready."""
        states: Mapping[str, object] = {}
        try:
            async with asyncio.timeout(READY_SECONDS):
                while True:
                    url = self._address()
                    states = await _readiness(url) if url is not None else {}
                    if url is not None and all(states.get(name) == ["ready"] for name in harnesses):
                        return url
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            told = ", ".join(f"{name} {states.get(name)}" for name in sorted(harnesses))
            raise NotReady(f"the host is not ready: {told}\n{self._printed()[-LOG_CHARS:]}") from None

    def _address(self) -> str | None:
        """What it announced; None before."""
        text = self._printed()
        line = next((line for line in text.splitlines() if line.startswith(_ANNOUNCED)), None)
        if line is None and self._process.poll() is not None:
            raise NotReady(f"the server ended with {self._process.returncode}:\n{text[-LOG_CHARS:]}")
        return None if line is None else line.removeprefix(_ANNOUNCED).strip()

    def _printed(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> None:
        """SIGTERM, and after a while the end of everything in its session."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


async def _readiness(url: str) -> dict[str, list[str]]:
    """By harness, what each online host says of it."""
    async with OmnigentClient(url) as client:
        rows = (await client.request("GET", "/v1/harnesses"))["data"]
    return {row["id"]: list(row["readiness"].values()) for row in rows}


def _places(directory: Path, *, is_private: bool) -> dict[str, str]:
    """Where everything is kept; `python` in an agent's file is the one that runs this."""
    temporary = directory / "tmp"
    temporary.mkdir()
    found = {
        "TMPDIR": str(temporary),
        "DATA_DIR": str(directory / "data"),
        "OMNIGENT_WORKSPACE_ROOT": str(directory / "workspaces"),
        "OMNIGENT_STATE_DIR": str(directory / "engines"),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
    }
    if is_private:
        home = directory / "home"
        home.mkdir()
        found["HOME"] = str(home)
    return found

"""Takes the events of a program's hooks on a socket in a private directory."""

import asyncio
import contextlib
import logging
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from omnigent.protocol.codec import decode, encode
from omnigent.runner.native import hook
from omnigent.runner.native.program import Hooked

log = logging.getLogger(__name__)

MOST_BYTES: Final = 64 * 1024 * 1024
_SCRIPT: Final = str(Path(hook.__file__))


class HookSocket:
    """Open from `open` to `close`. A hook that goes away, because the program was interrupted, cancels the
    question that it asked.
    """

    def __init__(self, hooked: Hooked) -> None:
        self._hooked = hooked
        self._server: asyncio.Server | None = None
        self._directory: Path | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def command(self) -> str:
        """What a shell runs for a hook; it fails closed also when it cannot even be started."""
        assert self._directory is not None
        words = (sys.executable, "-I", "-S", _SCRIPT, str(self._directory / "s"))
        return f"{shlex.join(words)} || exit 2"

    async def open(self) -> None:
        if self._server is None:
            self._directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="omnigent-hooks-"))
            self._server = await asyncio.start_unix_server(self._accept, self._directory / "s")

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._directory is not None:
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._answer(reader, writer)
        except asyncio.CancelledError:
            # The socket is closing; the hook finds no answer, and denies.
            pass
        except Exception:
            log.exception("hook not answered")
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int(await reader.readline())
        if size > MOST_BYTES:
            return
        event = decode(await reader.readexactly(size))
        if not isinstance(event, dict):
            return
        asking = asyncio.ensure_future(self._hooked(event))
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(encode(dict(await asking)) + b"\n")
                    await writer.drain()
        finally:
            for task in (asking, leaving):
                task.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

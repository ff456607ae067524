"""The proxy in a thread of its own, for tests that block."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tests.net.proxy import Address, Faults, Proxy


class BackgroundProxy:
    """Runs a Proxy on its own event loop; every switch may be turned from the test's thread."""

    def __init__(self, backends: Sequence[Address], *, port: int = 0) -> None:
        self._proxy = Proxy(backends, port=port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._proxy.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def port(self) -> int:
        """Where the proxy listens."""
        return self._proxy.port

    @property
    def url(self) -> str:
        """What clients dial."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections are being forwarded."""
        return self._proxy.open_connections

    def break_lines(self, faults: Faults) -> None:
        """Set the faults from now on."""
        self._call(lambda: setattr(self._proxy, "faults", faults))

    def heal(self) -> None:
        """Turn every fault off."""
        self._call(self._proxy.heal)

    def route_to(self, backend: int | None) -> None:
        """Choose where new connections go."""
        self._call(lambda: self._proxy.route_to(backend))

    def kill_connections(self, backend: int | None = None) -> None:
        """Reset every connection, or those of one backend."""
        self._call(lambda: self._proxy.kill_connections(backend))

    def _call(self, action: Callable[[], None]) -> None:
        async def run() -> None:
            action()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

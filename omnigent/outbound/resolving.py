"""From a host name to its addresses."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> every address of the host as text; OSError when the name has none."""


class SystemResolver:
    """Asks the system, in threads of its own: a slow name server must not occupy everybody's threads."""

    def __init__(self, threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _addresses, host, port)

    def close(self) -> None:
        """Forget what waits; a look-up already asked of the system ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as problem:
        # A label that the system's encoding does not take has no address either.
        raise OSError(str(problem)) from problem
    return list(dict.fromkeys(str(row[4][0]) for row in found))

"""Opening connections for the pool: to an address that the guard has just permitted, never to a name."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from omnigent.outbound.guard import Guard

MAX_ATTEMPTS = 4
# How long an address may keep the next one waiting: a dead IPv6 route must not eat the whole time.
ATTEMPT_SECONDS = 0.25


class PinnedDialling(httpcore.AsyncNetworkBackend):
    """Asks the guard for a host's addresses and dials one of exactly those."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = (await self._guard.addresses_of(host, port))[:MAX_ATTEMPTS]
        for address in addresses[:-1]:
            try:
                return _Line(await self._network.connect_tcp(str(address), port, ATTEMPT_SECONDS))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return _Line(await self._network.connect_tcp(str(addresses[-1]), port, timeout))


class _Line(httpcore.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is abandoned; httpcore 1.0.9 leaves it open."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        secured = None
        try:
            secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        finally:
            if secured is None:
                await self._stream.aclose()
        return secured

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:  # any object, by httpcore's signature
        return self._stream.get_extra_info(info)

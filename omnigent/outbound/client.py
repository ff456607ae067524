"""An HTTPS client that dials only what its guard permits. No redirects, cookies, proxies or compression.

The pool knows connections by host name, so SNI, certificate and `Host` are the name's own; only the dialling
is replaced, and it goes to an address that was just checked, never to the name again.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpcore
import httpx

from omnigent.outbound.dialling import PinnedDialling
from omnigent.outbound.errors import BadAnswer, NotReached, TooSlow
from omnigent.outbound.guard import Guard
from omnigent.outbound.targets import Target

MAX_CONNECTIONS = 256
MAX_IDLE_CONNECTIONS = 64
# Shorter than what servers commonly keep, so that a request seldom meets a connection that is just closing.
IDLE_SECONDS = 4.0
_OUR_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    OSError,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one request may take: `seconds` from look-up to the last byte, `body_bytes` of the answer."""

    seconds: float = 10.0
    body_bytes: int = 65536


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verify against the public authorities, and those in the operator's file. The environment has no say."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


class OutboundClient:
    """Sends requests under a guard's rules. Belongs to one event loop; close it there."""

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._tls = tls
        self._pool: httpcore.AsyncConnectionPool | None = None

    @property
    def pool(self) -> httpcore.AsyncConnectionPool:
        """Its connections, from the first request on: the authorities of TLS take 3 MiB."""
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=self._tls or tls_context(),
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
                network_backend=PinnedDialling(self._guard),
            )
        return self._pool

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        limits: Limits | None = None,
    ) -> Answer:
        """Send once and read the whole answer, whatever its status; raises an OutboundError otherwise."""
        limits = limits or Limits()
        target = self._guard.check_url(url)
        try:
            async with asyncio.timeout(limits.seconds):
                return await self._exchange(method, target, _headers(target, headers), content, limits)
        except _FAILURES as problem:
            if isinstance(problem, TimeoutError):
                message = f"host {target.host!r} did not answer within {limits.seconds:g} s"
                raise TooSlow(message) from problem
            raise NotReached(f"host {target.host!r} was not reached: {_in_words(problem)}") from problem

    async def aclose(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _exchange(
        self, method: str, target: Target, headers: dict[str, str], content: bytes, limits: Limits
    ) -> Answer:
        url = httpcore.URL(scheme="https", host=target.host, port=target.port, target=target.path)
        async with self.pool.stream(method, url, headers=list(headers.items()), content=content) as response:
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            if received.get("content-encoding", "identity").lower() != "identity":
                raise BadAnswer(f"host {target.host!r} sent an encoded answer, which was not asked for")
            body = await _read(response.aiter_stream(), target.host, limits.body_bytes)
            return Answer(status=response.status, headers=received, body=body)


def _headers(target: Target, wanted: Mapping[str, str] | None) -> dict[str, str]:
    headers = {name.lower(): value for name, value in (wanted or {}).items()}
    if taken := _OUR_HEADERS & headers.keys():
        raise ValueError(f"the client itself sets {', '.join(sorted(taken))}")
    return {"host": target.host_header, "accept-encoding": "identity", **headers}


async def _read(parts: AsyncIterator[bytes], host: str, most: int) -> bytes:
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > most:
            raise BadAnswer(f"host {host!r} sent an answer of more than {most} bytes")
    return bytes(body)


def _in_words(problem: BaseException) -> str:
    """The cause for a reader: never an address or errno that would tell about the network behind a name."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "no secure connection could be agreed"
        # The pool cuts the chain of causes, but not that of contexts.
        cause = cause.__cause__ or cause.__context__
    if isinstance(problem, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "no connection"
    return "the connection broke" if isinstance(problem, httpcore.NetworkError) else "it does not speak HTTP"

"""Requests to one server: identity, idempotency keys, retries, errors."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import quote
from weakref import WeakSet

import httpx

from omnigent_client.errors import ApiError, ConnectionFailedError
from omnigent_client.transport.answers import error_of, json_of
from omnigent_client.transport.retrying import RetryRules, is_transient, is_under_way
from omnigent_client.version import VERSION

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

Part = tuple[str, tuple[str | None, bytes, str]]  # form name, (file name, content, content type)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request. `json` is sent as a JSON body, `parts` as multipart/form-data; None of both is no body.

    `held` marks a request that the server may hold until a person has decided: its silence is no failure.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None  # any JSON value
    parts: Sequence[Part] = ()
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    held: bool = False


class Closable(Protocol):
    """Something that holds a connection until it is closed."""

    async def aclose(self) -> None:
        """Let go of it."""


def path_of(*segments: str) -> str:
    """The path of these segments under /v1. Raises ValueError for one that would change the path's shape."""
    for segment in segments:
        if not segment or segment in (".", ".."):
            raise ValueError(f"{segment!r} is not an id")
    return "/v1/" + "/".join(quote(segment, safe=":") for segment in segments)


class Transport:
    """One connection pool to one server."""

    def __init__(self, http: httpx.AsyncClient, rules: RetryRules) -> None:
        self.http = http
        self.rules = rules
        self._open: WeakSet[Closable] = WeakSet()

    def keep(self, stream: Closable) -> None:
        """Close this as well, if it still is there, when everything is closed."""
        self._open.add(stream)

    async def aclose(self) -> None:
        """End every open stream and close every connection."""
        for stream in list(self._open):
            await stream.aclose()
        await self.http.aclose()

    async def json(self, call: Call) -> Any:  # any JSON value
        """The JSON of a good answer; None for an answer without a body."""
        response = await self.send(call)
        return json_of(response) if response.content else None

    async def send(self, call: Call) -> httpx.Response:
        """A good answer, its body read. Raises ApiError when refused, ConnectionFailedError without one."""
        # Built once: with another boundary or key the retry would be another request.
        request = self._build(call)
        started, attempt = time.monotonic(), 1
        while True:
            try:
                return await self._attempt(request)
            except ApiError as error:
                attempt += not (is_under_way(error) and self._may_wait_on(call, started))
                if not (is_under_way(error) or is_transient(error)) or attempt > self.rules.attempts:
                    raise
                await asyncio.sleep(self.rules.wait_before(max(attempt, 2), error.retry_after))
            except httpx.TransportError as error:
                attempt += not (call.held and isinstance(error, httpx.ReadTimeout))
                if not is_transient(error) or attempt > self.rules.attempts:
                    raise ConnectionFailedError(_words(request, error)) from error
                await asyncio.sleep(self.rules.wait_before(max(attempt, 2)))

    @asynccontextmanager
    async def stream(self, call: Call, *, read_seconds: float | None = None) -> AsyncIterator[httpx.Response]:
        """An answer whose body has not been read yet; one attempt. Raises ApiError and httpx's own errors."""
        request = self._build(call)
        request.extensions["timeout"] = {**request.extensions["timeout"], "read": read_seconds}
        response = await self.http.send(request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
                raise error_of(response)
            yield response
        finally:
            await response.aclose()

    async def _attempt(self, request: httpx.Request) -> httpx.Response:
        response = await self.http.send(request)
        if not response.is_success:
            raise error_of(response)
        return response

    def _may_wait_on(self, call: Call, started: float) -> bool:
        return call.held or time.monotonic() - started < self.rules.in_flight_seconds

    def _build(self, call: Call) -> httpx.Request:
        headers = dict(call.headers)
        if call.method not in READING:
            headers[IDEMPOTENCY_KEY] = call.idempotency_key or uuid.uuid4().hex
        return self.http.build_request(
            call.method,
            call.path,
            params={name: value for name, value in call.params.items() if value is not None},
            json=call.json,
            files=list(call.parts) or None,
            content=call.content,
            headers=headers,
        )


def open_http(
    *,
    base_url: str,
    token: str | None,
    timeout: float | httpx.Timeout,
    headers: Mapping[str, str] | None,
    transport: httpx.AsyncBaseTransport | None,
) -> httpx.AsyncClient:
    """The pool. Redirects are not followed: a body and a token belong to the server that was named."""
    shown = {"Accept": "application/json", "User-Agent": f"omnigent-client/{VERSION}", **(headers or {})}
    if token is not None:
        shown["Authorization"] = f"Bearer {token}"
    return httpx.AsyncClient(
        base_url=base_url.rstrip("/"),
        headers=shown,
        timeout=timeout,
        transport=transport,
        follow_redirects=False,
        # Every open stream holds a connection; a limit would let streams starve requests.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
    )


def _words(request: httpx.Request, error: httpx.TransportError) -> str:
    reason = str(error) or type(error).__name__
    return f"{request.method} {request.url.copy_with(query=None)}: {reason}"

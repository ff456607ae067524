"""An MCP server over streamable HTTP: no redirects, no proxies of the environment, bounded answers."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2
from mcp.client.streamable_http import streamable_http_client

from omnigent.runner.mcp.base import Definition
from omnigent.runner.mcp.stdio import Streams

LONGEST_ANSWER: Final = 16 * 1024 * 1024
_CONNECT_SECONDS: Final = 30.0
# A server may hold an event stream open without a word; a call has a time-out of its own.
_READ_SECONDS: Final = 7260.0


class TooMuch(httpx2.StreamError):
    """The answer is longer than its bound, or packed so that its length cannot be known."""


@asynccontextmanager
async def http_streams(definition: Definition) -> AsyncGenerator[Streams]:
    """The transport for `mcp.Client`."""
    assert definition.url is not None
    async with (
        httpx2.AsyncClient(
            headers={"Accept-Encoding": "identity", **definition.headers},
            timeout=httpx2.Timeout(_CONNECT_SECONDS, read=_READ_SECONDS),
            transport=_Bounded(),
            max_redirects=0,
            follow_redirects=False,
            trust_env=False,
        ) as client,
        streamable_http_client(
            definition.url, http_client=client, max_sse_event_size=LONGEST_ANSWER
        ) as streams,
    ):
        yield streams  # type: ignore[misc]  # the package's streams carry a context, and behave the same


class _Bounded(httpx2.AsyncHTTPTransport):
    """Counts an answer while it is read; event streams are bounded event by event."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("the answer is compressed", request=request)
        is_events = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        if not is_events:
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Counted(response.stream)
        return response


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LONGEST_ANSWER:
                raise TooMuch(f"the answer is longer than {LONGEST_ANSWER} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()

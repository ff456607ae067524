"""Reach a tunnel wherever it is: here directly, on another replica by a signed and streamed request."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import orjson
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from omnigent.api.pool import DatabasePool
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import host_frames
from omnigent.protocol.frames import MAX_FRAME_BYTES, Frame, Headers
from sessions_app.models import Lease
from sessions_app.tunnels import distant
from sessions_app.tunnels.channel import Line
from sessions_app.tunnels.registry import Tunnels
from sessions_app.tunnels.tunnel import Tunnel, TunnelLost

SIGNATURE_HEADER = "x-omnigent-rpc-signature"
TIME_HEADER = "x-omnigent-rpc-time"
HEAD_HEADER = "x-omnigent-rpc-head"
CLOCK_SKEW_SECONDS = 60
TUNNEL_GONE = 410
MAX_ANSWER = MAX_FRAME_BYTES
"""What fits into one frame also passes when it comes in several."""
MAX_IDLE = 8
"""Connections to other replicas that are kept for the next call; each call looks through all of them."""
PATH = "/internal/tunnels/{kind}/{name}"
CHANNELS = "/internal/tunnels/runner/{name}/channels"


@dataclass(frozen=True, slots=True)
class RunnerAnswer:
    """A runner's whole answer to a request."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class RunnerStream:
    """A runner's answer whose body is still coming; `body` raises when it is cut."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes]


def signature(key: bytes, stamp: str, path: str, body: bytes) -> str:
    """What proves that a request between replicas is ours."""
    text = b"\n".join((stamp.encode(), path.encode(), hashlib.sha256(body).hexdigest().encode()))
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def is_signed(key: bytes, path: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether a request between replicas carries a fresh and right signature."""
    stamp = headers.get(TIME_HEADER, "")
    if not stamp.isascii() or not stamp.isdigit() or abs(time.time() - int(stamp)) > CLOCK_SKEW_SECONDS:
        return False
    return hmac.compare_digest(signature(key, stamp, path, body), headers.get(SIGNATURE_HEADER, ""))


def replicas_key() -> bytes:
    """What requests between processes of one installation are signed with."""
    return salted_hmac("omnigent.rpc", "replicas").digest()


def locate(kind: str, name: str) -> tuple[str, str] | None:
    """(holder, address) of the process that has this tunnel open, by its lease."""
    lease = Lease.objects.filter(kind=kind, name=name, closed_at__isnull=True, expires_at__gt=Now())
    return lease.values_list("holder", "address").first()


class Rpc:
    """Calls to runners and hosts, whichever replica holds their tunnel."""

    def __init__(self, *, tunnels: Tunnels, pool: DatabasePool, replica_id: str, key: bytes) -> None:
        self._tunnels = tunnels
        self._pool = pool
        self._replica_id = replica_id
        self._key = key
        self._http: httpx.AsyncClient | None = None

    @property
    def http(self) -> httpx.AsyncClient:
        """The client for other replicas, made with the first call to one: its certificates take 3 MiB."""
        if self._http is None:
            self._http = httpx.AsyncClient(
                trust_env=False,
                timeout=httpx.Timeout(None, connect=5.0),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=MAX_IDLE),
            )
        return self._http

    async def close(self) -> None:
        """Release connections to the other replicas."""
        if self._http is not None:
            await self._http.aclose()

    async def runner(
        self,
        runner_id: str,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Headers = (),
        seconds: float,
    ) -> RunnerAnswer:
        """One request to a runner and its whole answer. Raises RUNNER_UNAVAILABLE, 504 after the time."""
        try:
            async with (
                asyncio.timeout(seconds),
                self.runner_stream(runner_id, method, path, body=body, headers=headers) as stream,
            ):
                return RunnerAnswer(stream.status, stream.headers, await _whole(stream.body))
        except TimeoutError:
            raise OmnigentError(
                ErrorCode.RUNNER_UNAVAILABLE, f"The runner did not answer within {seconds:g} s", status=504
            ) from None

    @asynccontextmanager
    async def runner_stream(
        self, runner_id: str, method: str, path: str, *, body: bytes = b"", headers: Headers = ()
    ) -> AsyncIterator[RunnerStream]:
        """One request to a runner; leaving the block before the body has ended cancels it there."""
        tunnel = await self._find("runner", runner_id)
        if isinstance(tunnel, str):
            async with self._remote_stream(tunnel, runner_id, method, path, body, headers) as stream:
                yield stream
            return
        exchange_id, exchange = await tunnel.request(method, path, headers=headers, body=body, stream=True)
        try:
            head = await exchange.head()
            yield RunnerStream(head.status, head.headers, exchange.body())
        finally:
            await _quietly_cancel(tunnel.cancel(exchange_id))

    async def runner_channel(self, runner_id: str, path: str, query: str) -> Line:
        """Open a WebSocket of a runner. Raises RUNNER_UNAVAILABLE, and CONFLICT when it takes no more."""
        tunnel = await self._find("runner", runner_id)
        if not isinstance(tunnel, str):
            return await tunnel.open_channel(path, query)
        target = f"{CHANNELS.format(name=runner_id)}?{urlencode({'path': path, 'query': query})}"
        address = tunnel.replace("http", "ws", 1) + target
        try:
            return await distant.dial(address, self._proof(target, b""))
        except distant.Refused as refused:
            raise _remote_error(refused.status, refused.body, runner_id) from None
        except OSError:
            raise TunnelLost(runner_id) from None

    async def host(self, host_id: str, frame: host_frames.Ask, *, seconds: float) -> Frame:
        """One frame to a host and its result. Raises HOST_OFFLINE, or 504 after `seconds`."""
        tunnel = await self._find("host", host_id)
        try:
            if isinstance(tunnel, str):
                return await self._remote_call(tunnel, host_id, frame, seconds)
            return await tunnel.call(frame, seconds)
        except TunnelLost:
            raise OmnigentError(ErrorCode.HOST_OFFLINE, "The host's connection was lost") from None
        except TimeoutError:
            raise OmnigentError(
                ErrorCode.HOST_OFFLINE, f"The host did not answer within {seconds:g} s", status=504
            ) from None

    async def _find(self, kind: str, name: str) -> Tunnel | str:
        """The tunnel, or the address of the replica that holds it."""
        tunnel = self._tunnels.get(kind, name)
        if tunnel is None:
            found = await self._pool.run(locate, kind, name)
            if found is not None and found[0] != self._replica_id:
                return found[1]
            tunnel = await self._tunnels.arriving(kind, name) if found is not None else None
        if tunnel is None:
            code = ErrorCode.HOST_OFFLINE if kind == "host" else ErrorCode.RUNNER_UNAVAILABLE
            raise OmnigentError(code, f"The {kind} is not connected")
        return tunnel

    def _signed(self, kind: str, name: str, address: str, body: bytes) -> httpx.Request:
        path = PATH.format(kind=kind, name=name)
        return self.http.build_request("POST", address + path, content=body, headers=self._proof(path, body))

    def _proof(self, path: str, body: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        return {TIME_HEADER: stamp, SIGNATURE_HEADER: signature(self._key, stamp, path, body)}

    @asynccontextmanager
    async def _remote_stream(
        self, address: str, runner_id: str, method: str, path: str, body: bytes, headers: Headers
    ) -> AsyncIterator[RunnerStream]:
        call = orjson.dumps(
            {"method": method, "path": path, "headers": headers, "body": base64.b64encode(body).decode()}
        )
        try:
            response = await self.http.send(self._signed("runner", runner_id, address, call), stream=True)
        except httpx.TransportError:
            raise TunnelLost(runner_id) from None
        try:
            if response.status_code != 200:
                raise _remote_error(response.status_code, await response.aread(), runner_id)
            status, pairs = orjson.loads(base64.b64decode(response.headers[HEAD_HEADER]))
            yield RunnerStream(status, tuple((k, v) for k, v in pairs), _unframe(response, runner_id))
        finally:
            await response.aclose()

    async def _remote_call(self, address: str, host_id: str, frame: host_frames.Ask, seconds: float) -> Frame:
        body = orjson.dumps({"frame": host_frames.render(frame), "seconds": seconds})
        try:
            async with asyncio.timeout(seconds + 2):
                response = await self.http.send(self._signed("host", host_id, address, body))
        except httpx.TransportError:
            raise TunnelLost(host_id) from None
        if response.status_code != 200:
            raise _remote_error(response.status_code, response.content, host_id)
        return host_frames.parse(response.content)


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    """A body that is kept in memory."""
    whole = bytearray()
    async for chunk in body:
        whole += chunk
        if len(whole) > MAX_ANSWER:
            raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The runner's answer is too large", status=502)
    return bytes(whole)


async def _quietly_cancel(cancel: Awaitable[None]) -> None:
    try:
        await cancel
    except OmnigentError:
        return


def _remote_error(status: int, body: bytes, name: str) -> OmnigentError:
    """What the other replica answered, as if it had happened here."""
    if status == TUNNEL_GONE:
        return TunnelLost(name)
    try:
        error = orjson.loads(body)["error"]
        return OmnigentError(ErrorCode(error["code"]), error["message"], status=status)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return TunnelLost(name)


def framed(chunk: bytes) -> bytes:
    """A slice as it travels between replicas: its length, then its bytes; an empty one ends the body."""
    return len(chunk).to_bytes(4, "big") + chunk


async def _unframe(response: httpx.Response, name: str) -> AsyncIterator[bytes]:
    """The slices. The answer is read past its last one, to its end: only then its connection serves again."""
    buffer = bytearray()
    is_whole = False
    try:
        async for data in response.aiter_raw():
            buffer += data
            while len(buffer) >= 4 and not is_whole:
                size = int.from_bytes(buffer[:4], "big")
                if len(buffer) < 4 + size:
                    break
                chunk = bytes(buffer[4 : 4 + size])
                del buffer[: 4 + size]
                is_whole = not chunk
                if chunk:
                    yield chunk
    except httpx.TransportError:
        # After the last slice nothing that matters can be lost.
        if not is_whole:
            raise TunnelLost(name) from None
    if not is_whole:
        raise TunnelLost(name)

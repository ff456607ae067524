"""Calls from other replicas: `POST /internal/tunnels/{kind}/{name}`, signed; and WebSockets to runners."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from omnigent.api.asgi import Scope
from omnigent.api.body import BodyRules
from omnigent.api.consumer import HttpConsumer
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import host_frames
from sessions_app import rpc
from sessions_app.consumers.lines import LineConsumer
from sessions_app.running import running_process
from sessions_app.tunnels.tunnel import Tunnel, TunnelLost

BODY_SECONDS = 30.0
BODY_BYTES = 200 * 1024 * 1024
MEMORY_BYTES = 1024 * 1024


class InternalConsumer(HttpConsumer):
    """Another replica reaches a tunnel that this process holds."""

    async def handle(self) -> None:
        process = running_process()
        raw = await self.body(BodyRules(limit=BODY_BYTES, memory=MEMORY_BYTES, seconds=BODY_SECONDS))
        require_signature(process.rpc_key, self.scope, self.scope["path"], raw)
        kind, name = str(self.kwargs["kind"]), str(self.kwargs["name"])
        tunnel = await process.tunnels.arriving(kind, name)
        call = orjson.loads(raw)
        try:
            if tunnel is None:
                raise TunnelLost(name)
            work = self._host(tunnel, call) if kind == "host" else self._runner(tunnel, call)
            await self.unless_disconnected(work)
        except TunnelLost:
            if self.is_started:
                raise
            await self.json(rpc.TUNNEL_GONE, {})

    async def _host(self, tunnel: Tunnel, call: Mapping[str, Any]) -> None:
        try:
            ask = host_frames.parse(call["frame"])
            if not isinstance(ask, host_frames.Ask):
                raise OmnigentError(ErrorCode.INVALID_INPUT, "Not a request to a host")
            result = await tunnel.call(ask, float(call["seconds"]))
        except TimeoutError:
            raise OmnigentError(ErrorCode.HOST_OFFLINE, "The host did not answer", status=504) from None
        await self.json(200, host_frames.render(result).encode())

    async def _runner(self, tunnel: Tunnel, call: Mapping[str, Any]) -> None:
        exchange_id, exchange = await tunnel.request(
            call["method"],
            call["path"],
            headers=tuple((key, value) for key, value in call["headers"]),
            body=base64.b64decode(call["body"]),
            stream=True,
        )
        try:
            head = await exchange.head()
            packed = base64.b64encode(orjson.dumps([head.status, head.headers]))
            await self.start(
                200, [(b"content-type", b"application/octet-stream"), (rpc.HEAD_HEADER.encode(), packed)]
            )
            async for chunk in exchange.body():
                if chunk:
                    await self.write(rpc.framed(chunk))
            await self.write(rpc.framed(b""))
            await self.finish()
        finally:
            if not tunnel.lost.is_set():
                await tunnel.cancel(exchange_id)


class InternalChannelConsumer(LineConsumer):
    """`WS /internal/tunnels/runner/{name}/channels`: another replica's end of a runner's WebSocket."""

    async def on_connect(self) -> None:
        process = running_process()
        query = self.scope["query_string"].decode("latin-1")
        require_signature(process.rpc_key, self.scope, f"{self.scope['path']}?{query}", b"")
        asked = parse_qs(query)
        name = str(self.kwargs["name"])
        tunnel = await process.tunnels.arriving("runner", name)
        try:
            if tunnel is None:
                raise TunnelLost(name)
            line = await tunnel.open_channel(asked["path"][0], asked["query"][0])
        except TunnelLost as lost:
            raise OmnigentError(lost.code, lost.message, status=rpc.TUNNEL_GONE) from None
        await self.attend(line)


def require_signature(key: bytes, scope: Scope, target: str, body: bytes) -> None:
    """Raise for whoever is not one of our replicas; to them there is nothing here."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if not rpc.is_signed(key, target, headers, body):
        raise OmnigentError(ErrorCode.NOT_FOUND, "Not found")

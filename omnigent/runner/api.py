"""The calls a runner makes to its server over HTTP, repeated while the server is away."""

import asyncio
import logging
import random
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from omnigent.runner.credentials import Credentials

log = logging.getLogger(__name__)

_AWAY: Final = frozenset({502, 503, 504})
_TIMED_OUT: Final = 504
# A proxy that says the server is away only after so long had given it the request.
_TAKEN_SECONDS: Final = 1.0
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
HUMAN_SECONDS: Final = 86_460.0
_TOOL_SECONDS: Final = 7_260.0


class ServerUnreachable(Exception):
    """The server did not answer. `taken` tells that it may have taken the request up before it went away."""

    def __init__(self, text: str, *, taken: bool = False) -> None:
        super().__init__(text)
        self.taken = taken


class ServerRefused(Exception):
    """The server answered with an error status; `text` is the body of its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:500]}")
        self.status = status
        self.text = text


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long and how often a call is repeated; `now` and `sleep` belong to tests."""

    seconds: float = 120.0
    start: float = 0.2
    cap: float = 3.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentContents:
    """An agent's bundle as the server sent it; variables in it may be expanded if the operator wrote it."""

    data: bytes
    version: str
    is_operators: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FileContent:
    """The bytes of an uploaded file; the media type is without parameters."""

    data: bytes
    media_type: str


class ServerApi:
    """One connection pool to the server, with the identity of this runner."""

    def __init__(
        self,
        *,
        server_url: str,
        runner_id: str,
        token: str,
        owner_token: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=server_url, transport=transport or _transport(), timeout=60.0, trust_env=False
        )
        self.credentials = Credentials(self._client, runner_id, token, owner_token)
        self.patience = patience or Patience()

    async def close(self) -> None:
        await self._client.aclose()

    async def snapshot(self, session_id: str) -> dict[str, Any]:
        flags = ("include_items", "include_liveness", "include_usage", "include_live_status")
        answer = await self.call("GET", f"/v1/sessions/{session_id}", params=dict.fromkeys(flags, "false"))
        return object_of(answer)

    async def agent_contents(self, session_id: str) -> AgentContents:
        answer = await self.call("GET", f"/v1/sessions/{session_id}/agent/contents")
        return AgentContents(
            data=answer.content,
            version=answer.headers.get("X-Agent-Version", ""),
            is_operators=answer.headers.get("X-Agent-Session-Scoped", "true").strip().lower() == "false",
        )

    async def items(self, session_id: str) -> list[dict[str, Any]]:
        """All items of the session, oldest first."""
        items: list[dict[str, Any]] = []
        params = {"limit": "100", "order": "asc"}
        while True:
            page = object_of(await self.call("GET", f"/v1/sessions/{session_id}/items", params=params))
            items += page.get("data", [])
            if not page.get("has_more") or not page.get("last_id"):
                return items
            params["after"] = page["last_id"]

    async def file(self, session_id: str, file_id: str) -> dict[str, Any]:
        """What the server knows of an uploaded file."""
        return object_of(await self.call("GET", f"/v1/sessions/{session_id}/resources/files/{file_id}"))

    async def file_content(self, session_id: str, file_id: str) -> FileContent:
        path = f"/v1/sessions/{session_id}/resources/files/{file_id}/content"
        answer = await self.call("GET", path)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return FileContent(data=answer.content, media_type=media_type or "application/octet-stream")

    async def evaluate(
        self, session_id: str, body: Mapping[str, Any], *, seconds: float = HUMAN_SECONDS
    ) -> dict[str, Any]:
        """One question to the policies, not repeated here; the server holds it while a person is asked."""
        path = f"/v1/sessions/{session_id}/policies/evaluate"
        return object_of(await self._once("POST", path, json=body, timeout=seconds))

    async def add_policy(self, session_id: str, policy: Mapping[str, Any]) -> dict[str, Any]:
        """Attach a policy to the session; its key makes a repeat after a lost answer harmless."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        path = f"/v1/sessions/{session_id}/policies"
        return object_of(await self.call("POST", path, json=policy, headers=headers))

    async def policy_registry(self) -> dict[str, Any]:
        """The policies that can be attached."""
        return object_of(await self.call("GET", "/v1/policy-registry"))

    async def mcp(self, session_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One JSON-RPC request to the tool gate, not repeated here: the caller knows when it may be."""
        path = f"/v1/sessions/{session_id}/mcp"
        return object_of(await self._once("POST", path, json=body, timeout=_TOOL_SECONDS))

    async def post_event(self, session_id: str, event: Mapping[str, Any]) -> None:
        """One event; its key makes a repeat after a lost answer harmless."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        await self.call("POST", f"/v1/sessions/{session_id}/events", json=event, headers=headers)

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Repeat while the server is unreachable or a proxy says so; raises ServerUnreachable."""
        patience = self.patience
        deadline = patience.now() + patience.seconds
        delay = patience.start
        while True:
            try:
                return await self._once(method, path, **options)
            except ServerUnreachable:
                if patience.now() + delay >= deadline:
                    raise
            await patience.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, patience.cap)

    async def _once(self, method: str, path: str, **options: Any) -> httpx.Response:
        own: Mapping[str, str] = options.pop("headers", {})
        timeout = httpx.Timeout(options.pop("timeout", 60.0), connect=5.0, pool=60.0)
        for attempt in (1, 2):
            began = time.monotonic()
            headers = {**await self.credentials.headers(), **own}
            try:
                answer = await self._client.request(method, path, headers=headers, timeout=timeout, **options)
            except httpx.TransportError as exc:
                words = f"{method} {path}: {exc or type(exc).__name__}"
                raise ServerUnreachable(words, taken=not isinstance(exc, _NEVER_SENT)) from exc
            if answer.status_code != 401 or attempt == 2:
                break
            self.credentials.forget()
        if answer.status_code in _AWAY:
            taken = answer.status_code == _TIMED_OUT or time.monotonic() - began > _TAKEN_SECONDS
            raise ServerUnreachable(f"{method} {path}: HTTP {answer.status_code}", taken=taken)
        if not answer.is_success:
            raise ServerRefused(answer.status_code, answer.text)
        return answer


def object_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object in an answer; raises ServerRefused when there is none."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServerRefused(answer.status_code, "the answer is no JSON object")
    return body


def _transport() -> httpx.AsyncHTTPTransport:
    """Keep-alive probes end a call whose server vanished: tool calls may rightly take hours."""
    options: list[tuple[int, int, int]] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.AsyncHTTPTransport(socket_options=options, limits=limits)

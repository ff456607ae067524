"""The headers that say who this runner is, with a bearer token where the server hands one out."""

import asyncio
import logging
import time
from typing import Any, Final

import httpx

from omnigent.protocol.frames import ORIGIN, TOKEN_HEADER

log = logging.getLogger(__name__)

_RENEW_BEFORE: Final = 300.0
_RETRY_AFTER: Final = 30.0


class Credentials:
    """Mints a bearer on first need and renews it before it expires.

    A server that answers 400 or 404 needs none, which is remembered; when it cannot answer, calls go on
    with the tunnel token alone and the next one after a while asks again. `owner_token` is the personal
    access token of whoever started this runner by hand; it stands in until there is a bearer.
    """

    def __init__(self, client: httpx.AsyncClient, runner_id: str, token: str, owner_token: str = "") -> None:
        self._client = client
        self._path = f"/v1/runners/{runner_id}/token"
        self._own = {"Origin": ORIGIN} | ({TOKEN_HEADER: token} if token else {})
        self._fallback = {"Authorization": f"Bearer {owner_token}"} if owner_token else {}
        self._bearer: str | None = None
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        if time.time() >= self._renew_at:
            async with self._lock:
                if time.time() >= self._renew_at:
                    await self._mint()
        return self._own | ({"Authorization": f"Bearer {self._bearer}"} if self._bearer else self._fallback)

    def forget(self) -> None:
        """The server refused the bearer: ask for another before the next call."""
        if self._bearer is not None:
            self._bearer = None
            self._renew_at = 0.0

    async def _mint(self) -> None:
        try:
            answer = await self._client.post(self._path, headers=self._own | self._fallback, timeout=10.0)
        except httpx.TransportError as exc:
            log.info("no bearer yet", extra={"error": str(exc)})
            self._renew_at = time.time() + 1.0
            return
        if answer.status_code in {400, 404}:
            self._bearer, self._renew_at = None, float("inf")
        elif answer.is_success and (token := _token_of(answer)) is not None:
            self._bearer, expires = token
            self._renew_at = max(expires - _RENEW_BEFORE, time.time() + _RETRY_AFTER)
        else:
            log.warning("no bearer", extra={"status": answer.status_code})
            self._renew_at = time.time() + _RETRY_AFTER


def _token_of(answer: httpx.Response) -> tuple[str, float] | None:
    try:
        body: Any = answer.json()
        return str(body["token"]), float(body["expires_at"])
    except (ValueError, TypeError, KeyError):
        return None

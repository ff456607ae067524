"""A WebSocket client that stays connected: dials, says hello, hands texts on, redials."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from omnigent.link.rules import LinkClock, LinkEnd, LinkRules, Redial

log = logging.getLogger(__name__)

MAX_MESSAGE: Final = 100 * 1024 * 1024
_SUSPEND_SECONDS: Final = 30.0
_LONGEST_REFUSAL: Final = 500


class LinkDown(Exception):
    """Nothing can be sent: there is no connection at the moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkHooks:
    """`on_up` runs after the hello was sent, `on_down` (with a reason) after each drop of a connection."""

    on_up: Callable[[], Awaitable[None]] | None = None
    on_down: Callable[[str], Awaitable[None]] | None = None


class _Dial(connect):
    """`connect` that reports a redirect instead of following it: a login page is no tunnel."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Link:
    """One logical connection that outlives its sockets.

    `headers` is awaited before each dial; `refused_status` then tells whether the last handshake was
    refused (401, 403, a redirect), so that credentials can be renewed. `on_text` is awaited in order and
    must return soon: nothing is read meanwhile.
    """

    def __init__(
        self,
        *,
        url: str,
        headers: Callable[[], Awaitable[Mapping[str, str]]],
        hello: Callable[[], str],
        on_text: Callable[[str], Awaitable[None]],
        hooks: LinkHooks | None = None,
        rules: LinkRules | None = None,
        clock: LinkClock | None = None,
    ) -> None:
        self._url = url
        self._headers = headers
        self._hello = hello
        self._on_text = on_text
        self._hooks = hooks or LinkHooks()
        self._rules = rules or LinkRules()
        self._clock = clock or LinkClock()
        self._connection: ClientConnection | None = None
        self._stopping = asyncio.Event()
        self._stop_reason = "stopped"
        self._redial = Redial(self._rules, self._clock)
        self._heard = 0.0
        self._reading = False
        self._slept = False

    @property
    def is_up(self) -> bool:
        return self._connection is not None

    @property
    def refused_status(self) -> int | None:
        """HTTP status of the last refused handshake, None after a success."""
        return self._redial.refused_status

    async def run(self) -> LinkEnd:
        """Keep the link up until it is stopped or the rules end it."""
        while not self._stopping.is_set():
            verdict = await self._attempt()
            if isinstance(verdict, LinkEnd):
                return verdict
            await self._pause(verdict)
        return LinkEnd(reason=self._stop_reason, exit_code=0)

    async def send(self, text: str) -> None:
        """Send one message; waits while the socket's buffer is full, raises LinkDown without a connection."""
        connection = self._connection
        if connection is None:
            raise LinkDown("not connected")
        try:
            await connection.send(text)
        except ConnectionClosed as exc:
            raise LinkDown(str(exc)) from exc

    async def stop(self, code: int = 1000, reason: str = "") -> None:
        """Close for good with this code; `run` returns soon after. May be called from a callback."""
        self._stop_reason = reason or "stopped"
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            await connection.close(code, reason)

    async def drop(self) -> None:
        """Cut the connection without ceremony; the link redials."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def _attempt(self) -> LinkEnd | float:
        try:
            connection = await self._dial()
        except InvalidStatus as exc:
            verdict = self._redial.refused(exc.response.status_code, _said(exc))
            self._note("handshake refused", status=exc.response.status_code)
            return verdict
        except InvalidURI as exc:
            return LinkEnd(reason=str(exc), exit_code=1)
        except (OSError, TimeoutError, InvalidHandshake, EOFError) as exc:
            verdict = self._redial.unreachable(exc)
            self._note("server unreachable", error=str(exc))
            return verdict
        if connection is None:
            return 0.0
        reason = await self._serve(connection)
        log.info("link down", extra={"code": connection.close_code, "reason": reason})
        if self._stopping.is_set():
            return 0.0
        if self._slept:
            return self._redial.woken()
        return self._redial.closed(connection.close_code, reason)

    def _note(self, event: str, **fields: object) -> None:
        """Log a failed attempt; of many in a row the 1st, 2nd, 4th, 8th and so on."""
        times = self._redial.failures
        if times & (times - 1) == 0:
            log.info(event, extra={**fields, "times": times})

    async def _dial(self) -> ClientConnection | None:
        """A new connection, or None when the link was stopped in the meantime."""
        dial = asyncio.create_task(self._connect(), name="link-dial")
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({dial, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await dial if dial.done() else None
        finally:
            stopping.cancel()
            dial.cancel()

    async def _connect(self) -> ClientConnection:
        headers = dict(await self._headers())
        rules = self._rules
        return await _Dial(
            self._url,
            additional_headers=headers,
            compression=None,
            proxy=None if is_loopback(self._url) else True,
            open_timeout=rules.open_timeout,
            close_timeout=rules.close_timeout,
            ping_interval=rules.ping_interval,
            ping_timeout=rules.ping_timeout,
            max_size=MAX_MESSAGE,
        )

    async def _serve(self, connection: ClientConnection) -> str:
        try:
            await connection.send(self._hello())
        except ConnectionClosed as exc:
            return str(exc)
        self._connection = connection
        self._slept = False
        self._redial.up()
        self._heard = self._clock.now()
        watch = asyncio.create_task(self._watch(connection), name="link-watch")
        try:
            if self._hooks.on_up is not None:
                await self._hooks.on_up()
            return await self._receive(connection)
        finally:
            watch.cancel()
            self._connection = None
            connection.transport.abort()
            if self._hooks.on_down is not None:
                await self._hooks.on_down(connection.close_reason or "")

    async def _receive(self, connection: ClientConnection) -> str:
        while True:
            try:
                message = await connection.recv()
            except ConnectionClosed as exc:
                return connection.close_reason or str(exc)
            if isinstance(message, bytes):
                log.warning("binary message dropped", extra={"bytes": len(message)})
                continue
            self._reading = True
            try:
                await self._on_text(message)
            except Exception:  # outermost loop: one bad message must not end the process
                log.exception("message handler failed")
            finally:
                self._reading = False
                self._heard = self._clock.now()

    async def _watch(self, connection: ClientConnection) -> None:
        """Abort a connection over which nothing was heard, or under which the machine slept."""
        offset = self._clock.wall() - self._clock.now()
        while True:
            limit = self._rules.silence_seconds()
            quiet = 0.0 if self._reading else self._clock.now() - self._heard
            slept = self._clock.wall() - self._clock.now() - offset
            offset += slept
            if quiet >= limit or slept > _SUSPEND_SECONDS:
                log.warning("link aborted", extra={"quiet": round(quiet), "slept": round(slept)})
                self._slept = slept > _SUSPEND_SECONDS
                connection.transport.abort()
                return
            await self._clock.sleep(min(limit - quiet, 5.0))

    async def _pause(self, delay: float) -> None:
        waits = {asyncio.ensure_future(self._clock.sleep(delay)), asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _said(refusal: InvalidStatus) -> str:
    """The first line of a refusal's body, when it is for people."""
    text = (refusal.response.body or b"").decode("utf-8", "replace").strip()
    line = text.partition("\n")[0][:_LONGEST_REFUSAL]
    return line if line.isprintable() and not line.startswith("<") else ""


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine by a loopback address or a name that always means one."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

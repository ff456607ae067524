"""A file of a workspace as its bytes: whole or in part, no faster than they are read, and never shown."""

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import aclosing
from urllib.parse import quote, urlencode

from django.conf import settings

from omnigent.api.asgi import header_values
from omnigent.api.body import Disconnected
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.consumers.resources import ResourceConsumer
from sessions_app.files import kinds
from sessions_app.flows.downloads import BEYOND, PARTIAL, Download, Fetcher, Range, range_of
from sessions_app.services import environments
from sessions_app.services.environments import Place, Target, Use
from sessions_app.services.receipts import Answer

CONTENT_POLICY = b"default-src 'none'; frame-ancestors 'none'; sandbox"
BINARY = "application/octet-stream"
ETAG = re.compile(r'"[!#-~]{0,200}"')


class DownloadConsumer(ResourceConsumer):
    """Sends a file."""

    async def download(self, place: Place, target: Target, query: Mapping[str, str]) -> None:
        """Answer with a file's bytes, or with what its runner says instead."""
        environments.require_runner(place)
        await self.unless_disconnected(self._send(place, target, query))

    async def _send(self, place: Place, target: Target, query: Mapping[str, str]) -> None:
        suffix = f"{target.below('filesystem')}?{urlencode(query)}"
        wanted = self._range()
        async with Fetcher(self.process, place, suffix).open(wanted) as found:
            if isinstance(found, Answer):
                await self.answer(found)
                return
            if self._is_stale(found):
                found.widen()
            if found.status == BEYOND:
                raise unsatisfiable(found.size)
            await self.start(found.status, headers_of(found, target))
            await self._pass_on(found, target)
            await self.finish()

    async def _pass_on(self, found: Download, target: Target) -> None:
        asked_at = time.monotonic()
        async with aclosing(found.bytes()) as slices:
            async for data in slices:
                try:
                    async with asyncio.timeout(settings.OMNIGENT_STALL_SECONDS):
                        await self.write(data)
                except TimeoutError:
                    raise Disconnected from None
                if time.monotonic() - asked_at > settings.OMNIGENT_ACCESS_RECHECK_SECONDS:
                    asked_at = time.monotonic()
                    await self._ask_again(target)

    async def _ask_again(self, target: Target) -> None:
        """A long download keeps what it was opened with only as long as that holds."""
        may_stay = await self.process.pool.run(
            environments.may_stay, self.principal, self.session_id, Use.READ, target
        )
        if not may_stay:
            raise OmnigentError(ErrorCode.FORBIDDEN, "The credentials are no longer valid")

    def _range(self) -> Range | None:
        values = header_values(self.scope, b"range")
        return range_of(values[0].decode("latin-1")) if len(values) == 1 else None

    def _is_stale(self, found: Download) -> bool:
        """Whether the part was wanted of another version of the file only."""
        conditions = header_values(self.scope, b"if-range")
        known = found.etag if ETAG.fullmatch(found.etag) else ""
        return bool(conditions) and conditions[0].decode("latin-1").strip() != (known or None)


def headers_of(found: Download, target: Target) -> list[tuple[bytes, bytes]]:
    """The head of the answer. No browser shows or runs a file from here, whatever the runner calls it."""
    name = target.path.rstrip("/").rpartition("/")[2]
    kind = kinds.BY_EXTENSION.get(kinds.extension_of(name))
    media_type = BINARY if kind is None else kinds.served_type(kind.media_type)
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(found.stop - found.start).encode()),
        (b"content-disposition", disposition(name).encode()),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", CONTENT_POLICY),
    ]
    if ETAG.fullmatch(found.etag):
        headers.append((b"etag", found.etag.encode()))
    if found.status == PARTIAL:
        span = f"bytes {found.start}-{found.stop - 1}/{found.size}"
        headers.append((b"content-range", span.encode()))
    return headers


def disposition(name: str) -> str:
    """A file to be saved, whatever its name (RFC 6266)."""
    quoted = quote(name, safe="")
    return f'attachment; filename="{name}"' if quoted == name else f"attachment; filename*=UTF-8''{quoted}"


def unsatisfiable(size: int) -> OmnigentError:
    """The file has nothing of the range."""
    return OmnigentError(
        ErrorCode.INVALID_INPUT,
        f"The file has {size} bytes",
        status=BEYOND,
        headers={"Content-Range": f"bytes */{size}"},
    )

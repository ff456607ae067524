"""Reading a request body on the event loop: capped, timed, and out of memory when it is large."""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from django.conf import settings

from omnigent.api.asgi import Receive, Scope, header_values
from omnigent.api.errors import too_large
from omnigent.errors import ErrorCode, OmnigentError


class Disconnected(Exception):
    """The client went away; nobody is left to answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyRules:
    """`limit` bytes at most, complete within `seconds`, on disk beyond `memory` bytes."""

    limit: int
    memory: int
    seconds: float


def rules_for(scope: Scope) -> BodyRules:
    """Uploads are multipart and may be larger than JSON."""
    is_upload = any(
        value.lower().startswith(b"multipart/form-data") for value in header_values(scope, b"content-type")
    )
    return BodyRules(
        limit=settings.OMNIGENT_UPLOAD_LIMIT if is_upload else settings.OMNIGENT_BODY_LIMIT,
        memory=settings.OMNIGENT_BODY_MEMORY,
        seconds=settings.OMNIGENT_BODY_SECONDS,
    )


async def read_body(scope: Scope, receive: Receive, rules: BodyRules) -> IO[bytes]:
    """The whole body, rewound. Raises `Disconnected`, or the error that the client is owed."""
    for value in header_values(scope, b"content-length"):
        if value.isdigit() and int(value) > rules.limit:
            raise too_large()
    try:
        async with asyncio.timeout(rules.seconds):
            return await gather(receive, rules)
    except TimeoutError:
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, "The request body did not arrive in time", status=408
        ) from None


async def gather(receive: Receive, rules: BodyRules) -> IO[bytes]:
    chunk, more = await next_chunk(receive)
    if not more and len(chunk) <= rules.memory:
        if len(chunk) > rules.limit:
            raise too_large()
        return BytesIO(chunk)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=rules.memory, mode="w+b"))
        size = len(chunk)
        file.write(chunk)
        while more and size <= rules.limit:
            chunk, more = await next_chunk(receive)
            size += len(chunk)
            file.write(chunk)
        if size > rules.limit:
            raise too_large()
        file.seek(0)
        stack.pop_all()  # complete: the caller closes it
    return file


async def next_chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)

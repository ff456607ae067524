"""What the session views share: the caller, bytes out, and routes that a consumer answers."""

from typing import Any, NoReturn, cast

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError

NO_STORE = {"Cache-Control": "no-store"}


def caller(request: Request) -> Principal:
    """Who asks, as the door established it."""
    return cast(Principal, request.user)


def json_bytes(body: bytes) -> HttpResponse:
    """Text that is JSON already."""
    return HttpResponse(body, content_type="application/json", headers=NO_STORE)


def json_answer(body: Any) -> HttpResponse:  # anything orjson writes, fragments included
    """A body to be written as JSON."""
    return json_bytes(orjson.dumps(body))


def answered_by_consumer() -> NoReturn:
    """The router answers this route before Django sees it; a server without the router cannot."""
    raise OmnigentError(
        ErrorCode.INTERNAL_ERROR, "This route is served by the ASGI application only", status=501
    )

"""What the small writes share: a request's idempotency key, and the answer that is kept under it."""

from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from sessions_app.api.answers import NO_STORE, caller
from sessions_app.services import receipts
from sessions_app.services.receipts import Answer, Claim

KEY_HEADER = "Idempotency-Key"
NOTHING = Answer(204, b"")


def claim_of(request: Request) -> Claim | None:
    """The request's idempotency key, bound to what it asks for."""
    target = f"{request.method} {request.path}?{request.META['QUERY_STRING']}\n".encode()
    return receipts.claim(caller(request), request.headers.get(KEY_HEADER), asked_for=target + request.body)


def once(request: Request, work: Callable[[], Answer]) -> HttpResponse:
    """Do `work` in one transaction with its receipt, or answer as the first request under the key was."""
    answer = receipts.once(claim_of(request), work)
    content_type = "application/json" if answer.body else None
    response = HttpResponse(answer.body, status=answer.status, content_type=content_type, headers=NO_STORE)
    if not answer.body:
        del response["Content-Type"]
    return response


def answer(body: Any, status: int = 200) -> Answer:  # anything orjson writes
    """A body to be kept and sent."""
    return Answer(status, orjson.dumps(body))

"""What the writes share: the answer that is kept under a request's idempotency key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.utils.module_loading import import_string
from rest_framework.request import Request

from omnigent.accounts.principal import Principal


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with; `body` is JSON text."""

    status: int
    body: bytes


NOTHING = Answer(204, b"")


class Once(Protocol):
    """Does the work in one transaction with its receipt, or answers as the first request did."""

    def __call__(self, request: Request, work: Callable[[], Answer]) -> HttpResponse: ...


def once(request: Request, work: Callable[[], Answer]) -> HttpResponse:
    """Do `work` at most once per idempotency key. Receipts are kept by an application above this one."""
    write_once: Once = import_string(settings.OMNIGENT_WRITE_ONCE)
    return write_once(request, work)


def answer(body: Any, status: int = 200) -> Answer:  # anything orjson writes
    """A body to be kept and sent."""
    return Answer(status, orjson.dumps(body))


def deleted(*, was_there: bool) -> Answer:
    """The answer to a deletion, which says whether there was anything."""
    return answer({"deleted": True}) if was_there else NOTHING


def caller(request: Request) -> Principal:
    """Who asks, as the door established it."""
    return cast(Principal, request.user)

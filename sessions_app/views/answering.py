"""What all pages share: the caller, plain data from the API's presenters, and refusals as pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, P], HttpResponse]

HEADINGS = {
    400: "That address does not work any more",
    403: "You may not see this",
    409: "That is not possible right now",
    503: "Nothing is there to run it",
}


def principal_of(request: HttpRequest) -> Principal:
    """The caller, as the middleware found out."""
    principal: Principal = request.principal  # type: ignore[attr-defined]  # set by accounts.middleware
    return principal


def plain(shown: object) -> Any:  # the JSON that the API would have sent
    """A presenter's answer as plain dicts and lists; presenters splice stored JSON text."""
    return orjson.loads(orjson.dumps(shown))


def page(view: "Page[P]") -> "Page[P]":
    """A view whose refusals are shown as a page in words, never stored by a cache."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except OmnigentError as error:
            response = refusal(request, error)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


def refusal(request: HttpRequest, error: OmnigentError) -> HttpResponse:
    """An error of a service as a page."""
    if error.status == 404:
        return render(request, "404.html", status=404)
    context = {
        "status": error.status,
        "heading": HEADINGS.get(error.status, "That did not work"),
        "message": error.message,
        "back": reverse("session-list"),
    }
    return render(request, "error.html", context, status=error.status)

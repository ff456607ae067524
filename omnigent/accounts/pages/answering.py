"""What the pages of identity share: the caller, forms as the API's bodies, and refusals in words."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from pydantic import BaseModel

from omnigent.accounts.identity import is_single_user
from omnigent.accounts.principal import Principal
from omnigent.accounts.rights import unauthorized
from omnigent.api.validation import ValidationFailed, refuse_nul, validate
from omnigent.errors import OmnigentError

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, P], HttpResponse]
Model = TypeVar("Model", bound=BaseModel)
Context = Mapping[str, Any]  # what a template is given

HOME = "/"
HEADINGS = {
    401: "Log in first",
    403: "You may not do that",
    404: "There is nothing behind this link",
    409: "That is not possible right now",
    429: "Too many attempts",
}


def page(view: "Page[P]") -> "Page[P]":
    """A view whose refusals are a page in words; nothing of identity is kept by a cache."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except OmnigentError as error:
            response = refusal(request, error)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def refusal(request: HttpRequest, error: OmnigentError, back: str = HOME) -> HttpResponse:
    """An error as a page of its own, for requests that have no form to return to."""
    context = {
        "status": error.status,
        "heading": HEADINGS.get(error.status, "That did not work"),
        "message": words_of(error),
        "back": back,
    }
    return with_headers(render(request, "error.html", context, status=error.status), error)


def form_again(request: HttpRequest, template: str, context: Context, error: OmnigentError) -> HttpResponse:
    """The form that could not be taken, with the reason."""
    shown = {**context, "error": words_of(error)}
    return with_headers(render(request, template, shown, status=error.status), error)


def with_headers(response: HttpResponse, error: OmnigentError) -> HttpResponse:
    for name, value in error.headers.items():
        response.headers[name] = value
    return response


def words_of(error: OmnigentError) -> str:
    """Why, for people: of several problems with a form the first one."""
    if not isinstance(error, ValidationFailed):
        return error.message
    first = error.detail[0]
    name = str(first["loc"][-1]).replace("_", " ").capitalize()
    return f"{name}: {first['msg']}"


def read_form(request: HttpRequest, model: type[Model], **fields: object) -> Model:
    """The posted fields that the model knows, and what the page adds. Raises 422 and 400."""
    posted: dict[str, object] = {
        name: value for name, value in request.POST.items() if name in model.model_fields
    }
    refuse_nul(posted, where="body")
    return validate(model, {**posted, **fields}, where="body")


def caller(request: HttpRequest) -> Principal:
    """Who is here. Raises 401 for nobody, and hides the page where everybody is the one local user."""
    if is_single_user():
        raise Http404
    principal: Principal | None = getattr(request, "principal", None)
    if principal is None:
        raise unauthorized()
    return principal


def require_accounts() -> None:
    """Hide the page where people do not log in here."""
    if settings.OMNIGENT_AUTH_MODE != "accounts":
        raise Http404


def own_path(text: str) -> str:
    """Where to go on: a path of this server, else its first page. No link of ours leads elsewhere."""
    is_own = text.startswith(HOME) and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    return text if is_own and text.isprintable() else HOME

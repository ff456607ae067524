"""/account: who one is here, one's password, access tokens, and the programs that one has let in."""

from collections.abc import Iterator
from datetime import timedelta

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from omnigent.accounts.api import bodies
from omnigent.accounts.pages.answering import (
    Context,
    caller,
    form_again,
    page,
    read_form,
    require_accounts,
)
from omnigent.accounts.principal import Principal, Scope
from omnigent.accounts.services import devices, passwords, tokens
from omnigent.accounts.services.tokens import Minted
from omnigent.accounts.standing import expanded
from omnigent.errors import ErrorCode, OmnigentError

TEMPLATE = "accounts/account.html"
SCOPES = {
    Scope.READ: "Read what I may read",
    Scope.WRITE: "Everything I may do, except tokens and administration",
    Scope.HOST: "Connect a host, or a runner started by hand",
    Scope.ADMIN: "Everything, administration included",
}
TERMS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "One year", "": "No end"}
DEFAULT_TERM = "90"


@require_safe
@page
def account(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    return render(request, TEMPLATE, context_of(caller(request)))


@require_POST
@page
def change_password(request: HttpRequest) -> HttpResponse:
    """Takes the present password and the new one, typed twice because nobody sees it."""
    require_accounts()
    principal = caller(request)
    try:
        body = read_form(request, bodies.NewPassword)
        if request.POST.get("repeated") != body.new_password:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "The new password was typed in two ways")
        passwords.change(request, principal=principal, present=body.password, wanted=body.new_password)
    except OmnigentError as error:
        return form_again(request, TEMPLATE, {**context_of(principal), "at": "password"}, error)
    return render(request, TEMPLATE, {**context_of(principal), "is_password_changed": True})


@require_POST
@page
def create_token(request: HttpRequest) -> HttpResponse:
    """The answer shows the secret, this once; so it is no redirect."""
    principal = caller(request)
    try:
        body = read_form(
            request, bodies.NewToken, scopes=request.POST.getlist("scope"), expires_in=_term(request)
        )
        minted = tokens.mint_token(
            principal=principal,
            name=body.name.strip(),
            scopes=body.scopes,
            lifetime=None if body.expires_in is None else timedelta(seconds=body.expires_in),
        )
    except OmnigentError as error:
        return form_again(request, TEMPLATE, {**context_of(principal), "at": "tokens"}, error)
    return render(request, TEMPLATE, context_of(principal, minted))


@require_POST
@page
def revoke_token(request: HttpRequest, token_id: str) -> HttpResponse:
    """From now on it opens nothing."""
    tokens.revoke(principal=caller(request), token_id=token_id)
    return HttpResponseRedirect(reverse("account"))


@require_POST
@page
def withdraw_device(request: HttpRequest, device_login_id: str) -> HttpResponse:
    """An approval that the program has not used yet."""
    devices.withdraw(principal=caller(request), device_login_id=device_login_id)
    return HttpResponseRedirect(reverse("account"))


def context_of(principal: Principal, minted: Minted | None = None) -> Context:
    """What the page shows; `minted` is a token with its secret."""
    programs = list(devices.open_logins(principal))
    of_programs = {login.token_id for login in programs}
    return {
        "nav": "account",
        "me": principal,
        "role": role_of(principal),
        "may_change_password": principal.via == "cookie" and passwords.has_password(principal),
        "may_log_out": principal.via == "cookie",
        "may_manage": tokens.may_manage(principal),
        "tokens": [token for token in tokens.live_tokens(principal) if token.pk not in of_programs],
        "programs": programs,
        "scopes": list(_scopes(principal)),
        "terms": TERMS,
        "default_term": DEFAULT_TERM,
        "minted": minted,
    }


def role_of(principal: Principal) -> str:
    """What the caller is, in a word."""
    if principal.is_admin:
        return "Administrator"
    return "Auditor: reads everything, changes nothing" if principal.is_auditor else "Member"


def _scopes(principal: Principal) -> Iterator[tuple[str, str]]:
    for scope, words in SCOPES.items():
        if expanded([scope]) <= principal.scopes:
            yield scope.value, words


def _term(request: HttpRequest) -> int | None:
    days = request.POST.get("days", DEFAULT_TERM)
    if days not in TERMS:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "Choose one of the terms")
    return int(days) * 86400 if days else None

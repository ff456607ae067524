"""The ways in and out: /login, /logout, /setup and /invite/<token>."""

from django.conf import settings
from django.contrib.auth import logout as end_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from omnigent.accounts.api import bodies
from omnigent.accounts.pages.answering import form_again, own_path, page, read_form, require_accounts
from omnigent.accounts.principal import Principal
from omnigent.accounts.services import invitations, logins, users
from omnigent.errors import ErrorCode, OmnigentError

FORM = require_http_methods(["GET", "HEAD", "POST"])


@FORM
@page
def login(request: HttpRequest) -> HttpResponse:
    """A name and a password, then on to `next`."""
    require_accounts()
    target = own_path(request.POST.get("next") or request.GET.get("next", ""))
    context = {
        "next": target,
        "username": request.POST.get("username", ""),
        "sign_in_name": settings.OMNIGENT_OIDC_NAME if settings.OMNIGENT_OIDC_ISSUER else "",
        "needs_setup": users.needs_setup(),
    }
    if request.method != "POST":
        principal: Principal | None = getattr(request, "principal", None)
        if principal is not None and principal.via == "cookie":
            return HttpResponseRedirect(target)
        return render(request, "accounts/login.html", context)
    try:
        body = read_form(request, bodies.Login)
        logins.log_in(request, username=body.username, password=body.password)
    except OmnigentError as error:
        return form_again(request, "accounts/login.html", context, error)
    return HttpResponseRedirect(target)


@require_POST
@page
def logout(request: HttpRequest) -> HttpResponse:
    """The end of a login, here; another service that let the person in is not asked."""
    require_accounts()
    end_login(request)
    return HttpResponseRedirect(reverse("login-page"))


@FORM
@page
def setup(request: HttpRequest) -> HttpResponse:
    """The first administrator, by the token that the server printed at its start."""
    require_accounts()
    if not users.needs_setup():
        raise OmnigentError(ErrorCode.CONFLICT, "The server has been set up already")
    context = {"username": request.POST.get("username", "")}
    if request.method != "POST":
        return render(request, "accounts/setup.html", context)
    try:
        body = read_form(request, bodies.NewAccount)
        user = invitations.set_up(token=body.token.strip(), username=body.username, password=body.password)
    except OmnigentError as error:
        return form_again(request, "accounts/setup.html", context, error)
    logins.begin(request, user)
    return HttpResponseRedirect(reverse("account"))


@FORM
@page
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """An invited person chooses a name and a password, once."""
    require_accounts()
    invitation = invitations.find_open(token)
    context = {"invitation": invitation, "username": request.POST.get("username", "")}
    if request.method != "POST":
        return render(request, "accounts/invite.html", context)
    try:
        body = read_form(request, bodies.NewAccount, token=token)
        user = invitations.accept(token=token, username=body.username, password=body.password)
    except OmnigentError as error:
        return form_again(request, "accounts/invite.html", context, error)
    logins.begin(request, user)
    return HttpResponseRedirect(reverse("session-list"))

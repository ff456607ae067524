"""/account/people, for administrators: who has an account, and who is invited."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from omnigent.accounts.api import bodies
from omnigent.accounts.api.answers import public_address
from omnigent.accounts.api.people import ORDER, administrator
from omnigent.accounts.pages.answering import Context, caller, form_again, page, read_form, require_accounts
from omnigent.accounts.principal import Principal
from omnigent.accounts.services import invitations, people
from omnigent.accounts.services.people import Change
from omnigent.api.pagination import Page, cut
from omnigent.errors import ErrorCode, OmnigentError

TEMPLATE = "accounts/people.html"
SHOWN = 100
ROLES = {
    "member": Change(is_staff=False, is_auditor=False),
    "admin": Change(is_staff=True, is_auditor=False),
    "auditor": Change(is_staff=False, is_auditor=True),
}
CHANGES = {**ROLES, "lock": Change(is_active=False), "unlock": Change(is_active=True)}


@require_safe
@page
def everybody(request: HttpRequest) -> HttpResponse:
    """A page of people, and all open invitations."""
    principal = _administrator(request)
    return render(request, TEMPLATE, context_of(principal, after=request.GET.get("after") or None))


@require_POST
@page
def change(request: HttpRequest, user_id: str) -> HttpResponse:
    """One change to one person, named by the button."""
    principal = _administrator(request)
    try:
        wanted = CHANGES.get(request.POST.get("change", ""))
        if wanted is None:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Choose what to change")
        people.change(principal=principal, username=user_id, change=wanted)
    except OmnigentError as error:
        return form_again(request, TEMPLATE, context_of(principal), error)
    return HttpResponseRedirect(reverse("people"))


@require_POST
@page
def invite(request: HttpRequest) -> HttpResponse:
    """The answer shows the link, this once; so it is no redirect."""
    principal = _administrator(request)
    role = request.POST.get("role", "member")
    try:
        body = read_form(
            request, bodies.NewInvitation, is_admin=role == "admin", is_auditor=role == "auditor"
        )
        if role not in ROLES:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Choose a role")
        made = invitations.invite(
            principal=principal, is_admin=body.is_admin, is_auditor=body.is_auditor, lifetime=None
        )
    except OmnigentError as error:
        return form_again(request, TEMPLATE, context_of(principal), error)
    link = public_address(request, reverse("invite-page", args=[made.secret]))
    return render(request, TEMPLATE, {**context_of(principal), "link": link, "invited": made.invitation})


@require_POST
@page
def withdraw(request: HttpRequest, invitation_id: str) -> HttpResponse:
    """Make an invitation void."""
    _administrator(request)
    invitations.withdraw(invitation_id)
    return HttpResponseRedirect(reverse("people"))


def context_of(principal: Principal, after: str | None = None) -> Context:
    """What the page shows, from a person on."""
    asked = Page(limit=SHOWN, after=after)
    scope = people.people()
    rows, has_more = cut(list(ORDER.apply(scope, asked, ORDER.positions(scope, asked))), asked)
    return {
        "nav": "account",
        "me": principal,
        "people": rows,
        "older": rows[-1].username if has_more else "",
        "is_first": after is None,
        "invitations": list(invitations.open_ones()[:SHOWN]),
        "invite_hours": f"{settings.OMNIGENT_ACCOUNTS_INVITE_TTL_HOURS:g}",
    }


def _administrator(request: HttpRequest) -> Principal:
    require_accounts()
    return administrator(caller(request))

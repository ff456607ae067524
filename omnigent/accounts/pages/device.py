"""/device: a person looks at the code that a program shows, and lets it in or not."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from omnigent.accounts.pages.answering import caller, form_again, page
from omnigent.accounts.services import devices
from omnigent.accounts.services.logins import address_of
from omnigent.api.validation import refuse_nul
from omnigent.errors import ErrorCode, OmnigentError

TEMPLATE = "accounts/device.html"
DECISIONS = {"approve": True, "deny": False}
LONGEST = 40


@require_http_methods(["GET", "HEAD", "POST"])
@page
def device(request: HttpRequest) -> HttpResponse:
    """Without a code the form for one; with one, who asks; after the decision, what to do next."""
    principal = caller(request)
    fields = request.POST if request.method == "POST" else request.GET
    typed = fields.get("user_code", "").strip()[:LONGEST]
    context: dict[str, object] = {"typed": typed, "me": principal}
    if not typed:
        return render(request, TEMPLATE, context)
    address = address_of(request)
    try:
        refuse_nul({"user_code": typed}, where="query")
        if request.method != "POST":
            found = devices.find(principal=principal, typed=typed, address=address)
            return render(request, TEMPLATE, {**context, "login": found})
        is_approved = DECISIONS.get(request.POST.get("decision", ""))
        if is_approved is None:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Choose whether to let the program in")
        decided = devices.decide(principal=principal, typed=typed, address=address, is_approved=is_approved)
    except OmnigentError as error:
        return form_again(request, TEMPLATE, context, error)
    return render(request, TEMPLATE, {**context, "decided": decided, "is_approved": is_approved})

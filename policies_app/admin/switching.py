"""Switching a server-wide policy on and off, and deleting it: asked first, for it concerns every session."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from omnigent.errors import OmnigentError
from policies_app.admin.pages import PolicyPages, Question, caller, is_confirmed, require
from policies_app.models import DefaultPolicy, Mode
from policies_app.services import default_policies

LIST = "admin:policies_app_defaultpolicy_changelist"


def policy_at(object_id: str | int) -> DefaultPolicy:
    """The row of an address. Raises Http404."""
    text = str(object_id)
    found = (
        DefaultPolicy.objects.filter(pk=int(text)).first() if text.isdecimal() and len(text) < 19 else None
    )
    if found is None:
        raise Http404
    return found


def switch(pages: PolicyPages, request: HttpRequest, pk: int, *, is_enabled: bool) -> HttpResponse:
    """Ask, then do it."""
    require(pages.has_change_permission(request))
    policy = policy_at(pk)

    def work() -> str:
        default_policies.set_enabled(
            principal=caller(request), policy_id=policy.public_id, is_enabled=is_enabled
        )
        return f"“{policy.name}” is {'on' if is_enabled else 'off'}, in every session."

    question = Question(
        title=f"{'Enable' if is_enabled else 'Disable'} “{policy.name}”?",
        effects=_when_on(policy) if is_enabled else _when_off(policy),
        verb="Enable in every session" if is_enabled else "Disable in every session",
        back=reverse("admin:policies_app_defaultpolicy_change", args=[pk]),
        is_grave=not is_enabled,
    )
    return confirm(pages, request, question, work, then=reverse(LIST))


def delete(pages: PolicyPages, request: HttpRequest, object_id: str) -> HttpResponse:
    """Ask, then do it."""
    require(pages.has_delete_permission(request))
    policy = policy_at(object_id)

    def work() -> str:
        default_policies.delete_policy(principal=caller(request), policy_id=policy.public_id)
        return f"“{policy.name}” is deleted. Its history stays, and can bring it back."

    question = Question(
        title=f"Delete “{policy.name}”?",
        effects=(*_when_off(policy), "Its versions and decisions stay. Its history can bring it back."),
        verb="Delete for every session",
        back=reverse("admin:policies_app_defaultpolicy_change", args=[policy.pk]),
        is_grave=True,
    )
    return confirm(pages, request, question, work, then=reverse(LIST))


def confirm(
    pages: PolicyPages, request: HttpRequest, question: Question, work: Callable[[], str], *, then: str
) -> HttpResponse:
    """Ask until the button is pressed; then do the work, which gives the sentence to be shown at `then`.

    What a service refuses is said on the page of the question.
    """
    if not is_confirmed(request):
        return pages.ask(request, question)
    try:
        words = work()
    except OmnigentError as error:
        return pages.ask(request, question.refused(error.message))
    pages.message_user(request, words)
    return HttpResponseRedirect(then)


def _when_on(policy: DefaultPolicy) -> tuple[str, ...]:
    if policy.mode == Mode.SHADOW:
        return (
            "It is asked about the next action of every session, running ones too.",
            "It is in shadow: what it says is logged, and nothing happens.",
        )
    return (
        "This affects every session, running ones too, from the next action of each.",
        "What it denies stops, and what it asks about waits for a person.",
    )


def _when_off(policy: DefaultPolicy) -> tuple[str, ...]:
    if policy.mode == Mode.SHADOW:
        return ("It is no longer asked, in any session. It was in shadow and stopped nothing.",)
    return (
        "This affects every session, running ones too, from the next action of each.",
        "What it would deny or ask about goes on, unless another policy holds it.",
    )

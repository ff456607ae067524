"""What waits for a person: questions of policies, and those of agents."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from policies_app.admin.pages import FOLDER, PolicyPages
from sessions_app.models import Elicitation, ElicitationStatus, HeldAction

SHORT = 400
NOTHING = "—"


class WaitingFilter(admin.SimpleListFilter):
    """What waits, unless something else is asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("answered", "Answered"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:  # dictionaries, as the admin's template takes them
        first, *others = super().choices(changelist)
        yield {**first, "display": "Waiting"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Elicitation]") -> "QuerySet[Elicitation]":
        if self.value() == "all":
            return queryset
        if self.value() == "answered":
            return queryset.exclude(status=ElicitationStatus.PENDING)
        return queryset.filter(status=ElicitationStatus.PENDING)


@admin.register(Elicitation)
class ApprovalAdmin(PolicyPages):
    """Questions. Whoever may answer does it on the page of the question, where the services decide."""

    change_list_template = f"{FOLDER}/approvals.html"
    list_display = ("policy", "preview", "shown_session", "since", "expires", "agreed", "answer")
    list_filter = (WaitingFilter, "created_at")
    list_select_related = ("session", "held_action")
    search_fields = ("=public_id", "=session__public_id", "session__title", "held_action__policy_name")
    search_help_text = "A session's title or id, a policy, or the id of a question."
    ordering = ("-created_at", "-id")
    list_display_links = None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Approvals", **(extra_context or {})})

    @admin.display(description="asked by")
    def policy(self, question: Elicitation) -> SafeString:
        """The policy; the agent where there is none."""
        name = _params(question).get("policy_name")
        held = _held(question)
        if held is not None and held.policy_name:
            name = held.policy_name
        if not name:
            return format_html('<span class="quiet">{}</span>', "the agent itself")
        return format_html('<span class="strong">{}</span>', name)

    @admin.display(description="what it is about")
    def preview(self, question: Elicitation) -> SafeString:
        """The call, as the person who answers sees it."""
        params = _params(question)
        text = str(params.get("content_preview") or "")[:SHORT]
        shown = format_html('<code class="preview">{}</code>', text) if text else ""
        return format_html("{}{}", str(params.get("message") or "")[:SHORT], shown)

    @admin.display(description="session")
    def shown_session(self, question: Elicitation) -> SafeString:
        """The way to it."""
        session = question.session
        address = reverse("admin:sessions_app_session_change", args=[session.pk])
        return format_html('<a href="{}">{}</a>', address, session.title or session.public_id)

    @admin.display(description="since", ordering="created_at")
    def since(self, question: Elicitation) -> str:
        """How long ago it was asked."""
        return f"{timesince(question.created_at, depth=1)} ago"

    @admin.display(description="expires", ordering="held_action__expires_at")
    def expires(self, question: Elicitation) -> str:
        """When it is declined by itself."""
        held = _held(question)
        if held is None or question.status != ElicitationStatus.PENDING:
            return NOTHING
        return f"in {timeuntil(held.expires_at, depth=1)}"

    @admin.display(description="agreed")
    def agreed(self, question: Elicitation) -> str:
        """How many have, of those that must."""
        held = _held(question)
        return NOTHING if held is None else f"{len(held.votes)} of {held.quorum}"

    @admin.display(description="")
    def answer(self, question: Elicitation) -> SafeString:
        """The way to its page, or what has become of it."""
        if question.status != ElicitationStatus.PENDING:
            by = f" by {question.resolved_by}" if question.resolved_by else ""
            return format_html('<span class="quiet">{}{}</span>', question.action or question.status, by)
        address = reverse("session-approve", args=[question.session.public_id, question.public_id])
        return format_html('<a class="small-button" href="{}">{}</a>', address, "Look and answer")


def _held(question: Elicitation) -> HeldAction | None:
    found: HeldAction | None = getattr(question, "held_action", None)
    return found


def _params(question: Elicitation) -> dict[str, Any]:
    params = question.request.get("params") if isinstance(question.request, dict) else None
    return params if isinstance(params, dict) else {}

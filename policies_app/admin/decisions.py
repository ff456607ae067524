"""The decision log: filtered, looked into, drawn, and verified."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from policies_app.admin import charts
from policies_app.admin.filters import ActorFilter, PhaseFilter, PolicyFilter, SessionFilter
from policies_app.admin.pages import FOLDER, PolicyPages, require
from policies_app.models import Decision, DecisionHead, DefaultPolicy
from policies_app.services.verification import verify

SHORT = 140
FIRST = ("type", "target", "data", "request_data")


@admin.register(Decision)
class DecisionAdmin(PolicyPages):
    """What was decided. Nobody changes it."""

    change_list_template = f"{FOLDER}/decisions.html"
    list_display = (
        "moment",
        "shown_verdict",
        "what",
        "shown_policy",
        "shown_reason",
        "shown_session",
        "actor",
    )
    list_filter = ("verdict", PhaseFilter, "created_at", PolicyFilter, SessionFilter, ActorFilter)
    search_fields = ("reason", "target", "policy_name", "=decision_id", "=session_id")
    search_help_text = "Words of a reason, a tool, a policy; or the id of a decision or session."
    ordering = ("-seq",)
    list_display_links = None
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Decision]":
        rows: QuerySet[Decision] = super().get_queryset(request)
        return rows.defer("input", "steps", "shadow")

    def get_urls(self) -> list[URLPattern]:
        check = require_POST(self.admin_site.admin_view(self.verification_view))
        return [
            path("verification/", check, name="policies_app_decision_verification"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        drawn = {
            "title": "Decisions",
            "chart": charts.per_day(),
            "denying": charts.top_denying(),
            "days": charts.DAYS,
        }
        return super().changelist_view(request, {**drawn, **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One decision, with what every policy said."""
        require(self.has_view_permission(request) and object_id is not None)
        decision = _decision(str(object_id))
        slowest = max((step.get("micros") or 0 for step in decision.steps), default=0)
        policy = DefaultPolicy.objects.filter(public_id=decision.policy_id).first()
        return self.page(
            request,
            "decision.html",
            f"Decision {decision.seq}",
            decision=decision,
            policy=policy,
            steps=[
                {**step, "width": round(100 * (step.get("micros") or 0) / (slowest or 1), 1)}
                for step in decision.steps
            ],
            input=_pretty(decision.input),
            shadow=decision.shadow,
        )

    def verification_view(self, request: HttpRequest) -> HttpResponse:
        """Read the whole log again, and say whether it is as it was written."""
        require(self.has_view_permission(request))
        head = DecisionHead.objects.filter(pk=1).first()
        return self.page(request, "verification.html", "The chain of decisions", fault=verify(), head=head)

    @admin.display(description="time", ordering="seq")
    def moment(self, decision: Decision) -> SafeString:
        """When, by which one comes to its page."""
        address = reverse("admin:policies_app_decision_change", args=[decision.pk])
        return format_html(
            '<a class="moment" href="{}">{}</a>', address, f"{decision.created_at:%d %b %H:%M:%S}"
        )

    @admin.display(description="verdict", ordering="verdict")
    def shown_verdict(self, decision: Decision) -> SafeString:
        """In its colour."""
        return format_html('<span class="pill pill-{0}">{0}</span>', decision.verdict)

    @admin.display(description="action", ordering="phase")
    def what(self, decision: Decision) -> SafeString:
        """The phase, and the tool."""
        phase = decision.phase.replace("_", " ")
        return format_html('{} <span class="quiet">{}</span>', decision.target or "—", phase)

    @admin.display(description="policy", ordering="policy_name")
    def shown_policy(self, decision: Decision) -> SafeString:
        """Whose verdict it was, and of which level."""
        if not decision.policy_name:
            return format_html('<span class="quiet">{}</span>', "none")
        return format_html('{} <span class="quiet">{}</span>', decision.policy_name, decision.level)

    @admin.display(description="reason")
    def shown_reason(self, decision: Decision) -> str:
        """Its beginning."""
        return decision.reason if len(decision.reason) <= SHORT else f"{decision.reason[:SHORT]}…"

    @admin.display(description="session")
    def shown_session(self, decision: Decision) -> SafeString:
        """The way to all that was decided in it."""
        if not decision.session_id:
            return format_html("{}", "—")
        address = reverse("admin:policies_app_decision_changelist")
        return format_html(
            '<a href="{0}?session={1}"><code>{2}</code></a>',
            address,
            decision.session_id,
            f"…{decision.session_id[-6:]}",
        )


def _decision(object_id: str) -> Decision:
    found = None
    if object_id.isdecimal() and len(object_id) < 19:
        found = Decision.objects.filter(seq=int(object_id)).first()
    if found is None:
        raise Http404
    return found


def _pretty(value: Any) -> str:  # any JSON value
    """As text, with what was about to happen before what surrounded it."""
    if value is None:
        return ""
    if isinstance(value, dict):
        value = {name: value[name] for name in FIRST if name in value} | value
    return json.dumps(value, indent=2, ensure_ascii=False)

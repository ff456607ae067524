"""The history of policies, and the way back to an earlier version."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies_app.admin.pages import PolicyPages, Question, caller, require
from policies_app.admin.switching import confirm
from policies_app.models import DefaultPolicy, PolicyScope, PolicyVersion
from policies_app.services import default_policies
from policies_app.services.versions import RESTORED

LONGEST = 200
CHANGES = {"rolled_back": "rolled back"}


@admin.register(PolicyVersion)
class PolicyVersionAdmin(PolicyPages):
    """Every change of every policy, of sessions too."""

    list_display = ("changed_at", "shown_name", "number", "change", "scope", "shown_session", "changed_by")
    list_filter = ("change", "scope", "changed_at")
    search_fields = ("policy_id", "session_id", "changed_by")
    ordering = ("-changed_at", "-id")
    list_display_links = None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "History of policies", **(extra_context or {})})

    @admin.display(description="policy")
    def shown_name(self, version: PolicyVersion) -> SafeString:
        """Its name then; of a server-wide one, the way to its history."""
        name = version.snapshot.get("name", version.policy_id)
        if version.scope != PolicyScope.DEFAULT:
            return format_html("{}", name)
        address = reverse("admin:policies_app_defaultpolicy_versions", args=[version.policy_id])
        return format_html('<a class="strong" href="{}">{}</a>', address, name)

    @admin.display(description="session")
    def shown_session(self, version: PolicyVersion) -> str:
        """Whose policy it is."""
        return version.session_id or "every session"


def versions(pages: PolicyPages, request: HttpRequest, policy_id: str) -> HttpResponse:
    """All versions of one policy, the newest first, each with what it changed. Of a deleted one, too."""
    require(pages.has_view_permission(request))
    rows = list(_history(policy_id).order_by("-number"))
    if not rows:
        raise Http404
    policy = DefaultPolicy.objects.filter(public_id=policy_id).first()
    shown = [
        {
            "version": row,
            "change": CHANGES.get(row.change, row.change),
            "differences": differences(before.snapshot if before else None, row.snapshot),
            "is_current": policy is not None and row.number == policy.version,
        }
        for row, before in zip(rows, [*rows[1:], None], strict=True)
    ]
    name = policy.name if policy else rows[0].snapshot["name"]
    return pages.page(
        request,
        "history.html",
        f"History of “{name}”",
        policy=policy,
        policy_id=policy_id,
        rows=shown,
        may_change=pages.has_change_permission(request),
    )


def rollback(pages: PolicyPages, request: HttpRequest, policy_id: str, number: int) -> HttpResponse:
    """Ask, then make it again what it was."""
    require(pages.has_change_permission(request))
    version = _history(policy_id).filter(number=number).first()
    if version is None:
        raise Http404
    back = reverse("admin:policies_app_defaultpolicy_versions", args=[policy_id])
    policy = DefaultPolicy.objects.filter(public_id=policy_id).first()
    name = version.snapshot["name"]

    def work() -> str:
        restored = default_policies.roll_back(principal=caller(request), policy_id=policy_id, number=number)
        return f"“{restored.name}” is as in version {number} again, as version {restored.version}."

    now = {column: getattr(policy, column) for column in RESTORED} if policy else None
    effects = [
        f"{one['name']}: {one['before']} → {one['after']}" for one in differences(now, version.snapshot)
    ]
    question = Question(
        title=f"Bring back version {number} of “{name}”?",
        effects=(
            "This affects every session, running ones too, from the next action of each.",
            *(effects if policy else ("It was deleted, and comes back with its id.",)),
        ),
        verb=f"Bring back version {number}",
        back=back,
    )
    return confirm(pages, request, question, work, then=back)


def differences(before: dict[str, Any] | None, after: dict[str, Any]) -> list[dict[str, str]]:
    """What is different between two snapshots, in words; nothing when there is none to compare with."""
    if before is None:
        return []
    return [
        {"name": column.replace("_", " "), "before": _words(before[column]), "after": _words(after[column])}
        for column in RESTORED
        if before[column] != after[column]
    ]


def _history(policy_id: str) -> Any:  # a queryset of PolicyVersion
    return PolicyVersion.objects.filter(policy_id=policy_id, scope=PolicyScope.DEFAULT)


def _words(value: Any) -> str:  # any JSON value
    if isinstance(value, dict):
        text = ", ".join(f"{name} = {member}" for name, member in value.items())
    elif isinstance(value, list):
        text = ", ".join(str(member) for member in value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "" if value is None else str(value)
    return (text or "nothing")[:LONGEST]

"""Server-wide policies: the list, and the way to everything that can be done to one."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies_app.admin import editing, handlers, history, switching, trying
from policies_app.admin.pages import FOLDER, PolicyPages
from policies_app.catalogue import catalogue
from policies_app.models import Decision, DefaultPolicy, Mode, VerdictName

LATELY = timedelta(days=7)


@admin.register(DefaultPolicy)
class DefaultPolicyAdmin(PolicyPages):
    """What applies to every session. Rows run in the order of the list."""

    change_list_template = f"{FOLDER}/policies.html"
    list_display = ("shown_name", "state", "shown_handler", "lately", "version", "changed", "actions_of_row")
    list_filter = ("enabled", "mode", "type")
    search_fields = ("name", "handler", "public_id")
    ordering = ("created_at", "id")
    list_display_links = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # any row
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # any row
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        base = "policies_app_defaultpolicy"
        own = [
            path("<int:pk>/enable/", wrap(self.enable_view), name=f"{base}_enable"),
            path("<int:pk>/disable/", wrap(self.disable_view), name=f"{base}_disable"),
            path("<int:pk>/try/", wrap(self.try_view), name=f"{base}_try"),
            path("<int:pk>/shadow/", wrap(self.shadow_view), name=f"{base}_shadow"),
            path("history/<str:policy_id>/", wrap(self.versions_view), name=f"{base}_versions"),
            path("history/<str:policy_id>/<int:number>/", wrap(self.rollback_view), name=f"{base}_rollback"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        declared = catalogue().config_policies
        own = {"title": "Policies of every session", "declared": declared, **(extra_context or {})}
        return super().changelist_view(request, own)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return editing.add(self, request) if object_id is None else editing.change(self, request, object_id)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return switching.delete(self, request, object_id)

    def enable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, and switch it on."""
        return switching.switch(self, request, pk, is_enabled=True)

    def disable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, and switch it off."""
        return switching.switch(self, request, pk, is_enabled=False)

    def try_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What it says of one event."""
        return trying.try_event(self, request, pk)

    def shadow_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What it said in shadow."""
        return trying.show_shadow(self, request, pk)

    def versions_view(self, request: HttpRequest, policy_id: str) -> HttpResponse:
        """What it was, and when."""
        return history.versions(self, request, policy_id)

    def rollback_view(self, request: HttpRequest, policy_id: str, number: int) -> HttpResponse:
        """Ask, and make it again what it was."""
        return history.rollback(self, request, policy_id, number)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The last column is for those who may change something."""
        columns = tuple(str(column) for column in self.list_display)
        return columns if self.has_change_permission(request) else columns[:-1]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With what the policies of this page decided lately, in one statement."""
        shown = super().get_changelist_instance(request)
        ids = [policy.public_id for policy in shown.result_list]
        counted = Decision.objects.filter(policy_id__in=ids, created_at__gte=timezone.now() - LATELY)
        verdicts = {
            f"count_{verdict}": Count("seq", filter=Q(verdict=verdict)) for verdict in VerdictName.values
        }
        found = {row["policy_id"]: row for row in counted.values("policy_id").annotate(**verdicts)}
        for policy in shown.result_list:
            policy.decided = found.get(policy.public_id, {})
        return shown

    @admin.display(description="policy", ordering="name")
    def shown_name(self, policy: DefaultPolicy) -> SafeString:
        """Its name, by which one comes to its page."""
        address = reverse("admin:policies_app_defaultpolicy_change", args=[policy.pk])
        return format_html('<a class="strong" href="{}">{}</a>', address, policy.name)

    @admin.display(description="effect", ordering="enabled")
    def state(self, policy: DefaultPolicy) -> SafeString:
        """Whether it counts."""
        if not policy.enabled:
            return format_html('<span class="pill pill-off">{}</span>', "Off")
        if policy.mode == Mode.SHADOW:
            return format_html('<span class="pill pill-shadow">{}</span>', "Shadow")
        return format_html('<span class="pill pill-on">{}</span>', "Enforced")

    @admin.display(description="handler", ordering="handler")
    def shown_handler(self, policy: DefaultPolicy) -> SafeString:
        """What it is called, and its path."""
        title = handlers.called(catalogue().registry, policy.type, policy.handler)
        short = policy.handler.removeprefix(handlers.BUILTINS)
        return format_html('{}<br><code class="quiet" title="{}">{}</code>', title, policy.handler, short)

    @admin.display(description="last 7 days")
    def lately(self, policy: Any) -> SafeString:  # a DefaultPolicy with `decided`
        """How often it decided, and what."""
        denied, asked = policy.decided.get("count_deny", 0), policy.decided.get("count_ask", 0)
        if not denied and not asked:
            return format_html('<span class="quiet">{}</span>', "nothing held up")
        address = reverse("admin:policies_app_decision_changelist")
        words = ", ".join(f"{n} {what}" for n, what in ((denied, "denied"), (asked, "asked")) if n)
        return format_html('<a href="{}?policy_id={}">{}</a>', address, policy.public_id, words)

    @admin.display(description="changed", ordering="updated_at")
    def changed(self, policy: DefaultPolicy) -> SafeString:
        """When, as its history knows."""
        address = reverse("admin:policies_app_defaultpolicy_versions", args=[policy.public_id])
        moment = policy.updated_at or policy.created_at
        return format_html('<a href="{}">{}</a>', address, f"{moment:%Y-%m-%d %H:%M}")

    @admin.display(description="")
    def actions_of_row(self, policy: DefaultPolicy) -> SafeString:
        """The way to the question whether it shall be switched on or off."""
        verb = "disable" if policy.enabled else "enable"
        address = reverse(f"admin:policies_app_defaultpolicy_{verb}", args=[policy.pk])
        return format_html('<a class="small-button" href="{}">{}</a>', address, verb.capitalize())

"""The registry for operators: agents change by their files and through the API, never here."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from agents_app.models import Agent
from agents_app.specs import specs_here
from sessions_app.admin.reading import ReadOnlyAdmin
from sessions_app.models import Session

DIGEST_SHOWN = 12
KINDS = (("server", "server"), ("user", "user"), ("session", "session"))


class KindFilter(admin.SimpleListFilter):
    """Whose agents are shown."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:
        return KINDS

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Agent]") -> "QuerySet[Agent]":
        match self.value():
            case "server":
                return queryset.filter(is_builtin=True)
            case "user":
                return queryset.filter(is_reusable=True)
            case "session":
                return queryset.filter(is_builtin=False, is_reusable=False)
            case _:
                return queryset


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    """Which agents there are and whose, what is wrong with them, and how many sessions run them."""

    list_display = (
        *("name", "public_id", "kind", "owner", "harness", "model", "version", "short_digest", "fault"),
        *("sessions_bound", "created_at", "updated_at", "deleted_at"),
    )
    list_filter = (KindFilter, "harness")
    search_fields = ("name", "public_id", "description", "digest", "created_by")
    ordering = ("-is_builtin", "name", "id")
    fields = (
        *("public_id", "name", "description", "kind", "owner", "harness", "model", "version", "digest"),
        *("bundle_bytes", "bundle_is_stored", "fault", "sessions_bound", "details"),
        *("created_at", "updated_at", "deleted_at"),
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Agent]":
        bound = Session.objects.filter(agent=OuterRef("pk")).order_by().values("agent")
        counted = Subquery(bound.annotate(count=Count("pk")).values("count"), output_field=IntegerField())
        agents: QuerySet[Agent] = super().get_queryset(request)
        return agents.annotate(bound_count=Coalesce(counted, 0))

    @admin.display(description="kind")
    def kind(self, agent: Agent) -> str:
        """The operator's, a person's, or a session's own."""
        return agent.kind

    @admin.display(description="owner", ordering="created_by")
    def owner(self, agent: Agent) -> str:
        """Who brought it along."""
        return agent.created_by or "-"

    @admin.display(description="digest", ordering="digest")
    def short_digest(self, agent: Agent) -> str:
        """As much of the content's digest as tells two apart."""
        return agent.digest[:DIGEST_SHOWN]

    @admin.display(description="load error")
    def fault(self, agent: Agent) -> str:
        """Why sessions cannot load it."""
        if agent.load_error:
            return agent.load_error
        is_whole = specs_here().is_whole(agent.digest, agent.bundle_bytes)
        return "-" if is_whole else "the bundle is missing or torn"

    @admin.display(description="bundle is stored", boolean=True)
    def bundle_is_stored(self, agent: Agent) -> bool:
        """Whether runners can fetch the agent."""
        return specs_here().is_whole(agent.digest, agent.bundle_bytes)

    @admin.display(description="sessions", ordering="bound_count")
    def sessions_bound(self, agent: Any) -> int:  # annotated
        """How many sessions are bound to it."""
        return int(agent.bound_count)

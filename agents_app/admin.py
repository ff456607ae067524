"""The operator's view of the registry; agents change by their files, never here."""

from django.contrib import admin
from django.core.files.storage import default_storage
from django.http import HttpRequest

from agents_app.models import Agent
from agents_app.storage import bundle_name


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Which agents there are, in which version, and whether their bundle is in the store."""

    list_display = (
        "name",
        "public_id",
        "is_builtin",
        "harness",
        "model",
        "version",
        "created_at",
        "updated_at",
    )
    list_filter = ("is_builtin", "harness")
    search_fields = ("name", "public_id", "description")
    ordering = ("-is_builtin", "name")
    fields = (
        *("public_id", "name", "description", "harness", "model", "version", "digest", "bundle_is_stored"),
        *("details", "is_builtin", "created_by", "created_at", "updated_at"),
    )
    readonly_fields = fields

    @admin.display(boolean=True)
    def bundle_is_stored(self, agent: Agent) -> bool:
        """Whether runners can fetch the agent."""
        return bool(default_storage.exists(bundle_name(agent.digest)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False

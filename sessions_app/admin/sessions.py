"""Sessions, with their transcript and their own policies."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from sessions_app.admin.reading import ReadOnlyAdmin
from sessions_app.models import Item, Session, SessionPolicy


class ItemInline(admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    """The transcript of a session."""

    model = Item
    fields = ("position", "type", "status", "response_id", "data", "created_at")
    readonly_fields = fields
    ordering = ("-position",)
    extra = 0
    max_num = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Item]":
        return super().get_queryset(request).defer("null_fields")


class SessionPolicyInline(admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    """The policies of a session alone, in the order in which they run; they change through the API."""

    model = SessionPolicy
    verbose_name_plural = "policies of this session"
    fields = (
        *("name", "type", "handler", "factory_params", "enabled", "mode", "approvers", "quorum"),
        *("ask_timeout", "version", "created_by", "created_at"),
    )
    readonly_fields = fields
    ordering = ("created_at", "id")
    extra = 0
    max_num = 0
    can_delete = False


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Which sessions there are, what they do, and what waits in them."""

    list_display = (
        *("shown_title", "public_id", "agent", "kind", "status", "items_count", "waiting", "outbox_count"),
        *("runner_id", "host_id", "created_by", "archived", "created_at", "updated_at"),
    )
    list_filter = ("status", "kind", "archived", "agent__name", "created_at")
    list_select_related = ("agent",)
    search_fields = ("title", "public_id", "runner_id", "host_id", "created_by")
    ordering = ("-id",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    inlines = (SessionPolicyInline, ItemInline)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Session]":
        counted: QuerySet[Session] = super().get_queryset(request)
        return counted.annotate(
            pending_count=Count("elicitations", filter=Q(elicitations__status="pending"), distinct=True),
            queued_count=Count("outbox", distinct=True),
        )

    @admin.display(description="title", ordering="title")
    def shown_title(self, session: Session) -> str:
        """The title, or what stands for it."""
        return session.title or "(untitled)"

    @admin.display(description="items", ordering="position")
    def items_count(self, session: Session) -> int:
        """Positions have no gaps, so the last one is the count."""
        return session.position

    @admin.display(description="questions", ordering="pending_count")
    def waiting(self, session: Any) -> int:
        """Questions that wait for a person."""
        return int(session.pending_count)

    @admin.display(description="to deliver", ordering="queued_count")
    def outbox_count(self, session: Any) -> int:
        """What its runner still has to be told."""
        return int(session.queued_count)

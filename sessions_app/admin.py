"""The operators' view of sessions, runners and hosts. Rows change through the API; here one looks."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from sessions_app.models import Host, Item, Lease, Runner, Session, TunnelKind


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
    inlines = (ItemInline,)

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


class TunnelAdmin(ReadOnlyAdmin):
    """Something that dials in."""

    tunnel: TunnelKind

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        live = Lease.objects.filter(kind=self.tunnel, name=OuterRef("public_id"), closed_at__isnull=True)
        rows: QuerySet[Any] = super().get_queryset(request)
        online: QuerySet[Any] = rows.annotate(is_online=Exists(live.filter(expires_at__gt=Now())))
        return online

    @admin.display(boolean=True, ordering="is_online")
    def online(self, row: Any) -> bool:
        """Whether its tunnel is open."""
        return bool(row.is_online)


@admin.register(Runner)
class RunnerAdmin(TunnelAdmin):
    """Which runners there are, and how the others ended."""

    tunnel = TunnelKind.RUNNER
    list_display = (
        *("public_id", "online", "owner", "host_id", "version", "created_at", "said_hello_at", "exited_at"),
        "ending",
    )
    list_filter = ("owner", "host_id", "exited_at")
    search_fields = ("public_id", "host_id", "exit_report")
    ordering = ("-id",)

    @admin.display(description="last words")
    def ending(self, runner: Runner) -> str:
        """The first line of its exit report."""
        return runner.exit_report.partition("\n")[0][:120]


@admin.register(Host)
class HostAdmin(TunnelAdmin):
    """Which machines have registered, and what they can run."""

    tunnel = TunnelKind.HOST
    list_display = ("name", "public_id", "online", "owner", "version", "ready", "created_at", "said_hello_at")
    list_filter = ("owner", "version")
    search_fields = ("name", "public_id", "owner")
    ordering = ("name",)

    @admin.display(description="can run")
    def ready(self, host: Host) -> str:
        """The harnesses that are set up there."""
        readiness = host.configured_harnesses
        if readiness is None:
            return "not known"
        return ", ".join(sorted(name for name, state in readiness.items() if state is True)) or "none"


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Which server process holds which tunnel."""

    list_display = (
        "name",
        "kind",
        "generation",
        "holder",
        "address",
        "renewed_at",
        "expires_at",
        "closed_at",
    )
    list_filter = ("kind", "holder")
    search_fields = ("name", "holder")
    ordering = ("-renewed_at",)

"""Runners, hosts, and who holds their tunnels."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies_app.models import KillSwitchKind
from sessions_app.admin.reading import ReadOnlyAdmin
from sessions_app.models import Host, Lease, Runner, TunnelKind


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
    list_display = (
        "name",
        "public_id",
        "online",
        "owner",
        "version",
        "ready",
        "created_at",
        "said_hello_at",
        "stop",
    )
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

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The last column is for those who may stop it."""
        columns = tuple(str(column) for column in self.list_display)
        return columns if request.user.has_perm("policies_app.add_killswitch") else columns[:-1]

    @admin.display(description="")
    def stop(self, host: Host) -> SafeString:
        """The way to its kill switch."""
        query = urlencode({"kind": KillSwitchKind.HOST, "target": host.public_id})
        return format_html(
            '<a href="{}?{}">{}</a>', reverse("admin:policies_app_killswitch_add"), query, "Stop…"
        )


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

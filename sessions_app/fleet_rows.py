"""Hosts and runners as the API shows them."""

from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from sessions_app.models import Host, Lease, Runner, TunnelKind

REPORT_KEPT = timedelta(seconds=600)


def _is_online(kind: TunnelKind) -> Exists:
    live = Lease.objects.filter(kind=kind, name=OuterRef("public_id"), closed_at__isnull=True)
    return Exists(live.filter(expires_at__gt=Now()))


def _hosts(owner: str) -> "QuerySet[Host, Any]":
    heard = Lease.objects.filter(kind=TunnelKind.HOST, name=OuterRef("public_id"))
    own = Host.objects.filter(owner=owner).annotate(
        is_online=_is_online(TunnelKind.HOST), heard_at=Subquery(heard.values("renewed_at"))
    )
    return own.order_by("created_at", "id")


def _host(host: Any) -> dict[str, Any]:  # annotated with is_online and heard_at
    return {
        "host_id": host.public_id,
        "name": host.name,
        "owner": host.owner,
        "status": "online" if host.is_online else "offline",
        "version": host.version or None,
        "last_seen_at": None if host.heard_at is None else int(host.heard_at.timestamp()),
        "sandbox_provider": None,
        "configured_harnesses": host.configured_harnesses,
        "gateway_inference": host.gateway_inference,
        "interactive_shells": host.interactive_shells,
    }


def hosts(owner: str) -> list[dict[str, Any]]:
    """A person's hosts."""
    return [_host(host) for host in _hosts(owner)]


def host(owner: str, host_id: str) -> dict[str, Any] | None:
    """One of a person's hosts."""
    found = _hosts(owner).filter(public_id=host_id).first()
    return None if found is None else _host(found)


def online_runners(owner: str, *, host_id: str | None = None) -> list[dict[str, Any]]:
    """A person's runners that are connected, or those of them that one host launched."""
    own = Runner.objects.filter(_is_online(TunnelKind.RUNNER), owner=owner)
    if host_id is not None:
        own = own.filter(host_id=host_id)
    return [
        {"runner_id": runner.public_id, "online": True, "harnesses": runner.harnesses or []}
        for runner in own.order_by("created_at", "id")
    ]


def runner_status(owner: str, runner_id: str) -> dict[str, Any]:
    """Whether a runner is connected, and how it ended; somebody else's looks as if it were not there."""
    own = Runner.objects.filter(owner=owner, public_id=runner_id)
    runner: Any = own.annotate(is_online=_is_online(TunnelKind.RUNNER)).first()
    status: dict[str, Any] = {"runner_id": runner_id, "online": bool(runner and runner.is_online)}
    if runner is None or runner.is_online or not runner.exit_report or runner.exited_at is None:
        return status
    if runner.exited_at > timezone.now() - REPORT_KEPT:
        status["error"] = runner.exit_report
    return status

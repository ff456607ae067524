"""Whether sessions could work now: their runners' and hosts' tunnels, for many sessions at once."""

from collections.abc import Iterable, Mapping
from typing import Any

from omnigent.accounts.identity import Principal
from omnigent.ids import SESSION, canonical
from sessions_app.models import Host, Session, TunnelKind
from sessions_app.services import presence
from sessions_app.services.watching import viewer_of

Liveness = Mapping[str, Any]  # id, runner_online, host_online (null without a host), host_version


def liveness(principal: Principal, ids: Iterable[str]) -> dict[str, Liveness]:
    """The liveness of sessions by their ids as written, in four statements. What the caller may not read
    looks like what does not exist: offline.
    """
    plain = {written: canonical(SESSION, written) for written in ids}
    rows = {
        public_id: (runner_id, host_id)
        for public_id, runner_id, host_id in _readable(principal, plain.values())
    }
    runners = presence.online(TunnelKind.RUNNER, [runner_id for runner_id, _ in rows.values()])
    host_ids = {host_id for _, host_id in rows.values() if host_id}
    hosts = presence.online(TunnelKind.HOST, host_ids)
    versions: dict[str, str] = {}
    if host_ids:
        versions = dict(Host.objects.filter(public_id__in=host_ids).values_list("public_id", "version"))
    found: dict[str, Liveness] = {}
    for written, public_id in plain.items():
        runner_id, host_id = rows.get(public_id or "", ("", ""))
        found[written] = {
            "id": written,
            "runner_online": runner_id in runners,
            "host_online": host_id in hosts if host_id else None,
            "host_version": versions.get(host_id) or None,
        }
    return found


def _readable(principal: Principal, ids: Iterable[str | None]) -> Iterable[tuple[str, str, str]]:
    viewer = viewer_of(principal)
    rows: Any = Session.objects.filter(public_id__in={each for each in ids if each})
    if viewer.runner_id:
        rows = rows.filter(runner_id=viewer.runner_id)
    elif not viewer.sees_all:
        rows = rows.visible_to(viewer.user_id)
    found: Iterable[tuple[str, str, str]] = rows.values_list("public_id", "runner_id", "host_id")
    return found

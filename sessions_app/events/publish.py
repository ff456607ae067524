"""Announce what is committed: to the readers of this process and to the other replicas."""

from collections import defaultdict
from collections.abc import Sequence

from django.apps import apps

from sessions_app.events.log import Entry


def announce(entries: Sequence[Entry]) -> None:
    """Tell everybody about committed entries; called after the commit, from any thread."""
    process = apps.get_app_config("sessions_app").process  # type: ignore[attr-defined]
    if process is None:
        return
    by_session: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    changed: set[int] = set()
    for entry in entries:
        if entry.changes_row:
            changed.add(entry.session_id)
        if process.announcer.is_followed(entry.session_id):
            by_session[entry.session_id].append((entry.seq, entry.frame()))
    if by_session or changed:
        process.on_loop(process.announcer.log, by_session, changed)


def ring(name: str, *keys: str) -> None:
    """Ring a named bell everywhere: `outbox`, `access`, `rows` and the like; called after the commit."""
    process = apps.get_app_config("sessions_app").process  # type: ignore[attr-defined]
    if process is not None:
        process.on_loop(process.announcer.bell, name, keys)

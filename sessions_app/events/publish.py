"""Announce what is committed: to the readers of this process and to the other replicas."""

from collections import defaultdict
from collections.abc import Sequence

from sessions_app.events.log import Entry
from sessions_app.running import process_or_none


def announce(entries: Sequence[Entry]) -> None:
    """Tell everybody about committed entries; called after the commit, from any thread."""
    process = process_or_none()
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
    process = process_or_none()
    if process is not None:
        process.on_loop(process.announcer.bell, name, keys)

"""Rows and commits for stream tests: what a runner's relay would commit, without a runner."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps

from omnigent.protocol import events
from sessions_app.events import log
from sessions_app.models import LogEntry, Session
from sessions_app.process import Process
from sessions_app.services import commit, memory
from sessions_app.services.tick import tick_of


def delta(text: str) -> events.OutputTextDelta:
    """Some text."""
    return events.OutputTextDelta(delta=text)


def running() -> events.SessionStatus:
    """The runner's running edge."""
    return events.SessionStatus(conversation_id="", status="running")


def idle() -> events.SessionStatus:
    """The runner's idle edge."""
    return events.SessionStatus(conversation_id="", status="idle")


def begun(response_id: str = "resp_1") -> events.ResponseInProgress:
    """A response begins."""
    return events.ResponseInProgress(
        response=events.response_object(id=response_id, status="in_progress", model="m", created_at=1)
    )


def completed(response_id: str = "resp_1") -> events.ResponseCompleted:
    """A response ends well."""
    return events.ResponseCompleted(
        response=events.response_object(id=response_id, status="completed", model="m", created_at=1)
    )


def title(text: str) -> events.SessionTitle:
    """An event that changes no row."""
    return events.SessionTitle(conversation_id="", title=text)


def append(session_pk: int, batch: Sequence[events.Event]) -> None:
    """Put events into the log as they are."""
    with tick_of([session_pk]) as tick:
        for event in batch:
            tick.append(tick.sessions[session_pk], event)


def silently(process: Process, session_pk: int, batch: Sequence[events.Event]) -> None:
    """Commit as another replica does whose bells are lost."""
    config: Any = apps.get_app_config("sessions_app")
    config.process = None
    try:
        append(session_pk, batch)
    finally:
        config.process = process


def unit(
    session: Session,
    batch: Sequence[events.Event],
    *,
    held: memory.Memory | None = None,
    stream: str = "",
    number: int = 0,
) -> commit.IngestUnit:
    """What a relay that has just taken over would submit."""
    return commit.IngestUnit(
        session_pk=session.pk,
        generation=session.relay_generation,
        memory=held if held is not None else memory.recall(session),
        batch=list(batch),
        stream=stream,
        number=number,
        report=lambda error: None,
    )


def relayed(session_pk: int, batch: Sequence[events.Event]) -> None:
    """Commit a runner's events as the writer does."""
    session = Session.objects.select_related("agent").get(pk=session_pk)
    for outcome in commit.commit([unit(session, batch)]):
        if outcome is not None:
            raise outcome


def head(session_pk: int) -> int:
    """The end of the log."""
    return Session.objects.values_list("seq", flat=True).get(pk=session_pk)


def whole_log(session_pk: int) -> list[log.Entry]:
    """Every entry."""
    return log.read(session_pk, 0, 1_000_000)


def log_size(session_pk: int) -> int:
    """How many entries there are."""
    return LogEntry.objects.filter(session_id=session_pk).count()

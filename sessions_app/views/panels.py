"""What the session page shows beside the transcript: the agent's panel, the way up, faults of this turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import F
from django.utils import timezone

from agents_app.services import OBJECT_COLUMNS, agent_object
from sessions_app.models import LogEntry, Session
from sessions_app.views import family, picking

LOG_LOOK_BACK = 500
MAX_FAULTS = 5
FAULT, STATUS = "response.error", "session.status"


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """`agent` is the API's object of the session's agent, with its `model` and its harness's `label`; None
    when the session has none any more. `parent` is (id, title) of the session it works for.
    """

    agent: dict[str, Any] | None
    parent: tuple[str, str] | None
    is_compacting: bool


def beside(session_pk: int) -> Beside:
    """The session's agent and parent. The caller has found the session already."""
    columns = (f"agent__{name}" for name in OBJECT_COLUMNS)
    rows = Session.objects.filter(pk=session_pk).values_list(
        *columns,
        "agent__model",
        "agent__deleted_at",
        "parent__public_id",
        "parent__title",
        "compacting_until",
    )
    found = rows.first()
    if found is None:
        return Beside(agent=None, parent=None, is_compacting=False)
    *row, model, deleted_at, parent_id, parent_title, compacting_until = found
    agent = None
    if row[0] is not None and deleted_at is None:
        shown = agent_object(tuple(row))
        agent = {**shown, "model": model, "label": picking.label_of(shown["harness"] or "")}
    return Beside(
        agent=agent,
        parent=None if parent_id is None else (parent_id, parent_title),
        is_compacting=compacting_until is not None and compacting_until > timezone.now(),
    )


def faults(session_pk: int, *, seq: int) -> Sequence[str]:
    """What was not available since the session began to work last, oldest first."""
    recent = LogEntry.objects.filter(
        session=session_pk, type__in=(FAULT, STATUS), seq__lte=seq, seq__gt=seq - LOG_LOOK_BACK
    ).order_by(F("seq").desc())
    told: dict[str, None] = {}
    for kind, text in recent.values_list("type", "data"):
        event = orjson.loads(text)
        if kind == STATUS and event.get("status") == "running":
            break
        if kind == FAULT and (message := (event.get("error") or {}).get("message")):
            told[str(message)] = None
    return list(told)[:MAX_FAULTS][::-1]


def context(session_pk: int, *, seq: int) -> dict[str, Any]:
    """All of it for the template."""
    found = beside(session_pk)
    return {
        "agent": found.agent,
        "parent": found.parent,
        "is_compacting": found.is_compacting,
        "family": family.family_of(session_pk),
        "faults": faults(session_pk, seq=seq),
    }

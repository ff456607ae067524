"""A session's relations on its page: the session it works for, its sub-agents, and what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnigent.api.pagination import Page
from sessions_app import children
from sessions_app.views.answering import plain

LIMIT = 100
NAMED = 3
WORDS: Mapping[str | None, tuple[str, str]] = {
    "in_progress": ("running", "Working"),
    "completed": ("idle", "Done"),
    "failed": ("failed", "Failed"),
    None: ("idle", "Not started"),
}
"""By a sub-agent's task, the status whose mark it gets, and the word beside that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubAgent:
    """One sub-agent's session. `name` is what its parent called it, `task` what it was called for."""

    id: str
    name: str
    task: str
    status: str
    word: str
    preview: str
    is_busy: bool
    needs_answer: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The direct sub-agents of a session, in the order of their making; `has_more` when not all are here."""

    members: Sequence[SubAgent] = ()
    has_more: bool = False

    @property
    def busy(self) -> int:
        """How many are at work."""
        return sum(member.is_busy for member in self.members)

    @property
    def waiting_line(self) -> str:
        """What a session that waits is waiting for."""
        names = list(dict.fromkeys(member.name for member in self.members if member.is_busy))
        if not names:
            return "Waiting for sub-agents."
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"Waiting for {', '.join(names[:NAMED])}{more}."


def family_of(session_pk: int) -> Family:
    """The sub-agents of a session."""
    found = plain(children.read(session_pk, Page(limit=LIMIT, descending=False)))
    return Family(members=[_member(row) for row in found["data"]], has_more=found["has_more"])


def _fault(error: object) -> str:
    return str(error.get("message") or "") if isinstance(error, Mapping) else ""


def _member(row: Mapping[str, object]) -> SubAgent:
    task_status = row["current_task_status"]
    status, word = WORDS[task_status if isinstance(task_status, str) else None]
    name, task = row["tool"] or row["agent_name"] or "sub-agent", row["session_name"] or ""
    return SubAgent(
        id=str(row["id"]),
        name=str(name),
        task=str(task),
        status=status,
        word=word,
        preview=_fault(row["last_task_error"]) or str(row["last_message_preview"] or ""),
        is_busy=bool(row["busy"]),
        needs_answer=bool(row["pending_elicitations_count"]),
    )

"""Changing a session's settings, labels and runner: every field is checked before any is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import events
from sessions_app.events import publish
from sessions_app.models import Runner, Session
from sessions_app.services import access, controls, projects, read_state, recovery, rules, turns
from sessions_app.services.access import Access, Level
from sessions_app.services.sessions import write_labels
from sessions_app.services.tick import Tick, tick_of

OWNERS = ("runner_id", "archived", "delete_worktree", "terminal_launch_args", "project_id")
MANAGERS = ("share_workspace_files",)
MAX_ECHO = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What to change in a session; None leaves a field alone, empty text clears it."""

    title: str | None = None
    runner_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    reasoning_effort: str | None = None
    model_override: str | None = None
    external_session_id: str | None = None
    terminal_launch_args: Sequence[str] | None = None
    share_workspace_files: bool | None = None
    archived: bool | None = None
    delete_worktree: bool | None = None
    project_id: str | None = None

    @property
    def level(self) -> Level:
        """The strictest level that any of the fields needs. Readers may do nothing but pin."""
        if any(getattr(self, name) is not None for name in OWNERS):
            return Level.OWNER
        if any(getattr(self, name) is not None for name in MANAGERS):
            return Level.MANAGE
        return Level.READ if self._is_only_a_pin else Level.EDIT

    @property
    def _is_only_a_pin(self) -> bool:
        return set(self.labels) == {rules.PIN} and self == Changes(labels=self.labels)


def require(principal: Principal, session_id: str, changes: Changes) -> Access:
    """The session, if the caller may change all of this. Raises 404 and 403."""
    if changes.runner_id is None:
        return access.require(principal, session_id, changes.level)
    found = access.require(principal, session_id, Level.READ)
    held = Level.EDIT if found.is_bound_runner else found.level
    if held is not None and held < Level.OWNER:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only the session owner can attach a runner to this session")
    return found


def update_session(*, principal: Principal, found: Access, changes: Changes) -> None:
    """Apply changes to a session, all or none. Raises for the first one that is refused."""
    labels = rules.labels(changes.labels, user_id=principal.user_id, is_bound_runner=found.is_bound_runner)
    if changes.delete_worktree and not changes.archived:
        raise rules.invalid("delete_worktree needs archived to be true in the same request")
    with tick_of([found.pk]) as tick:
        session = tick.sessions.get(found.pk)
        if session is None:
            raise access.not_found()
        _refuse_filing_of_sub_agents(session, changes)
        before = _visible(session)
        _set_plain(session, changes)
        if changes.title is not None:
            set_title(tick, session, changes.title)
        if changes.reasoning_effort is not None:
            _set_effort(tick, session, rules.reasoning_effort(changes.reasoning_effort))
        if changes.model_override is not None:
            set_model(tick, session, rules.model_override(changes.model_override))
        if changes.archived is not None:
            labels = {**labels, **_set_archived(tick, session, principal, is_archived=changes.archived)}
        filing = projects.file_session(
            session, principal, project_id=changes.project_id, labels=changes.labels
        )
        labels = {**labels, **filing}
        if changes.runner_id is not None:
            _bind_runner(tick, session, principal, changes.runner_id)
        if labels or _visible(session) != before:
            session.updated_at = tick.now
        write_labels(session, labels)


def _refuse_filing_of_sub_agents(session: Session, changes: Changes) -> None:
    if session.parent_id is None:
        return
    if changes.archived is not None:
        raise rules.invalid("A sub-agent session is archived by way of its root")
    if changes.project_id is not None:
        raise rules.invalid("A sub-agent session is filed by way of its root")
    for key in (rules.PIN, rules.PROJECT):
        if key in changes.labels:
            raise rules.invalid(f"label '{key}': a sub-agent session is pinned and filed by way of its root")


def _visible(session: Session) -> tuple[object, ...]:
    return (
        session.title,
        session.reasoning_effort,
        session.model_override,
        session.archived,
        session.runner_id,
        session.external_session_id,
        session.terminal_launch_args,
        session.share_workspace_files,
        session.project_id,
    )


def _set_plain(session: Session, changes: Changes) -> None:
    if changes.external_session_id is not None:
        if session.external_session_id not in ("", changes.external_session_id):
            raise rules.invalid("external_session_id is already set and cannot be changed")
        session.external_session_id = changes.external_session_id
    if changes.terminal_launch_args is not None:
        session.terminal_launch_args = list(changes.terminal_launch_args)
    if changes.share_workspace_files is not None:
        session.share_workspace_files = changes.share_workspace_files


def set_title(tick: Tick, session: Session, title: str) -> None:
    """Name the session and show it. Raises CONFLICT for the title of a sibling."""
    if title == session.title:
        return
    if session.parent_id is not None and _is_taken(session, title):
        raise OmnigentError(ErrorCode.CONFLICT, f"A sub-agent session titled '{title}' exists already")
    session.title = title
    tick.append(session, events.SessionTitle(conversation_id=session.public_id, title=title or None))


def _is_taken(session: Session, title: str) -> bool:
    siblings = Session.objects.filter(parent_id=session.parent_id, title=title).exclude(title="")
    return bool(siblings.exclude(pk=session.pk).exists())


def _set_effort(tick: Tick, session: Session, effort: str) -> None:
    if effort == session.reasoning_effort:
        return
    session.reasoning_effort = effort
    tick.append(
        session,
        events.SessionReasoningEffort(conversation_id=session.public_id, reasoning_effort=effort or None),
    )
    controls.tell(tick, session, {"type": "effort_change", "effort": effort or None})


def set_model(tick: Tick, session: Session, model: str) -> None:
    """Override the agent's model from the next turn on, or no longer; the runner is told."""
    if model == session.model_override:
        return
    session.model_override = model
    # What the runner last reported is out of date from here on.
    session.reported_model = model
    effective = model or (session.agent.model if session.agent else "")
    tick.append(session, events.SessionModel(conversation_id=session.public_id, model=effective or None))
    controls.tell(tick, session, {"type": "model_change", "model": model or None})


def _set_archived(
    tick: Tick, session: Session, principal: Principal, *, is_archived: bool
) -> Mapping[str, str | None]:
    session.archived = is_archived
    if not is_archived:
        return {rules.ARCHIVED_AT: None}
    read_state.drop_read_state(session_pk=session.pk, user_id=principal.user_id)
    return {rules.ARCHIVED_AT: str(int(tick.now.timestamp())), f"{rules.PIN}.{principal.user_id}": None}


def _bind_runner(tick: Tick, session: Session, principal: Principal, runner_id: str) -> None:
    """The last bind wins. The old runner's failure is forgiven, an unanswered message is delivered."""
    if runner_id:
        known = Runner.objects.filter(owner=principal.user_id, public_id=runner_id)
        if not known.exists():
            raise rules.invalid(f"runner '{runner_id[:MAX_ECHO]}' is not registered")
    if runner_id != session.runner_id:
        recovery.leave_runner(tick, session)
    session.runner_id = runner_id
    if runner_id:
        turns.forgive(tick, session)
        recovery.deliver_unanswered(tick, session)
    transaction.on_commit(partial(publish.ring, "outbox", str(session.pk)))

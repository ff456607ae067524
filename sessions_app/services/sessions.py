"""Creating, changing and deleting session rows, each all or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents_app.models import Agent
from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import events, items
from sessions_app.events import publish
from sessions_app.models import Grant, Kind, LogEntry, Runner, Session, SessionLabel
from sessions_app.models.session import new_session_id
from sessions_app.services import access, controls, copying, recovery, rules, turns
from sessions_app.services.access import Access, Level
from sessions_app.services.copying import History
from sessions_app.services.tick import NewItem, Tick, tick_of
from sessions_app.statements import query

SEED_RESPONSE = "seed"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A session to be created; `labels` are in their stored form, `parent` makes it a sub-agent's.

    An agent that came with the session is saved together with it.
    """

    agent: Agent
    is_agent_new: bool = False
    public_id: str = field(default_factory=new_session_id)
    parent: Session | None = None
    sub_agent_name: str = ""
    title: str = ""
    labels: Mapping[str, str | None] = field(default_factory=dict)
    reasoning_effort: str = ""
    model_override: str = ""
    harness_override: str = ""
    terminal_launch_args: Sequence[str] | None = None
    host_id: str = ""
    workspace: str = ""
    git_branch: str = ""
    initial_items: Sequence[items.ItemData] = ()
    history: History | None = None


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
    archived: bool | None = None


def create_session(*, new: NewSession, owner: str) -> Session:
    """Create a session with its labels and first items. Raises CONFLICT for a taken child title."""
    try:
        with transaction.atomic():
            session = _insert(new, owner)
            _write_labels(session, new.labels)
            if new.history is not None:
                copying.copy_items(new.history, session)
            if new.initial_items:
                with tick_of([session.pk]) as tick:
                    for data in new.initial_items:
                        tick.add_item(
                            tick.sessions[session.pk], NewItem(data=data, response_id=SEED_RESPONSE)
                        )
    except IntegrityError:
        if new.parent is None:
            raise
        raise OmnigentError(
            ErrorCode.CONFLICT, f"A sub-agent session titled '{new.title}' exists already"
        ) from None
    return session


def _insert(new: NewSession, owner: str) -> Session:
    now = timezone.now()
    if new.is_agent_new:
        new.agent.save(force_insert=True)
    session = Session(
        public_id=new.public_id,
        agent=new.agent,
        title=new.title,
        created_by=owner,
        created_at=now,
        updated_at=now,
        reasoning_effort=new.reasoning_effort,
        model_override=new.model_override,
        harness_override=new.harness_override,
        terminal_launch_args=None if new.terminal_launch_args is None else list(new.terminal_launch_args),
        host_id=new.host_id,
        workspace=new.workspace,
        git_branch=new.git_branch,
        context_window=new.agent.details.get("context_window"),
        sub_agent_name=new.sub_agent_name,
        position=0 if new.history is None else new.history.end,
    )
    if new.parent is not None:
        session.kind = Kind.SUB_AGENT
        session.parent = new.parent
        session.root_id = new.parent.root_id or new.parent.pk
        session.runner_id = new.parent.runner_id
        session.host_id = new.parent.host_id
        session.workspace = new.workspace or new.parent.workspace
    session.save(force_insert=True)
    if new.parent is None:
        Grant.objects.create(session=session, user_id=owner, level=Level.OWNER)
    return session


def update_session(*, principal: Principal, found: Access, changes: Changes) -> None:
    """Apply changes to a session, all or none. Raises for the first one that is refused."""
    labels = rules.labels(changes.labels, user_id=principal.user_id, is_bound_runner=found.is_bound_runner)
    _refuse_below_owner(found, changes)
    with tick_of([found.pk]) as tick:
        session = tick.sessions.get(found.pk)
        if session is None:
            raise access.not_found()
        before = _visible(session)
        _set_plain(session, changes)
        if changes.title is not None:
            _set_title(tick, session, changes.title)
        if changes.reasoning_effort is not None:
            _set_effort(tick, session, rules.reasoning_effort(changes.reasoning_effort))
        if changes.model_override is not None:
            _set_model(tick, session, rules.model_override(changes.model_override))
        if changes.archived is not None:
            labels = {**labels, **_set_archived(tick, session, principal, is_archived=changes.archived)}
        if changes.runner_id is not None:
            _bind_runner(tick, session, principal, changes.runner_id)
        if labels or _visible(session) != before:
            session.updated_at = tick.now
        _write_labels(session, labels)


def _refuse_below_owner(found: Access, changes: Changes) -> None:
    if found.level is None and not found.is_bound_runner:
        return
    if found.level is not None and found.level >= Level.OWNER:
        return
    if changes.runner_id is not None:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only the session owner can attach a runner to this session")
    if changes.archived is not None or changes.terminal_launch_args is not None:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only the session owner can archive or launch this session")


def _visible(session: Session) -> tuple[object, ...]:
    return (
        session.title,
        session.reasoning_effort,
        session.model_override,
        session.archived,
        session.runner_id,
        session.external_session_id,
        session.terminal_launch_args,
    )


def _set_plain(session: Session, changes: Changes) -> None:
    if changes.external_session_id is not None:
        if session.external_session_id not in ("", changes.external_session_id):
            raise rules.invalid("external_session_id is already set and cannot be changed")
        session.external_session_id = changes.external_session_id
    if changes.terminal_launch_args is not None:
        session.terminal_launch_args = list(changes.terminal_launch_args)


def _set_title(tick: Tick, session: Session, title: str) -> None:
    if title == session.title:
        return
    if session.parent_id is not None and _is_taken(session, title):
        raise OmnigentError(ErrorCode.CONFLICT, f"A sub-agent session titled '{title}' exists already")
    session.title = title
    tick.append(session, events.SessionTitle(conversation_id=session.public_id, title=title or None))


def _is_taken(session: Session, title: str) -> bool:
    siblings = Session.objects.filter(parent_id=session.parent_id, title=title)
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


def _set_model(tick: Tick, session: Session, model: str) -> None:
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
    return {rules.ARCHIVED_AT: str(int(tick.now.timestamp())), f"{rules.PIN}.{principal.user_id}": None}


def _bind_runner(tick: Tick, session: Session, principal: Principal, runner_id: str) -> None:
    """The last bind wins. The old runner's failure is forgiven, an unanswered message is delivered."""
    if runner_id:
        known = Runner.objects.filter(owner=principal.user_id, public_id=runner_id)
        if not known.exists():
            raise rules.invalid(f"runner '{runner_id}' is not registered")
    if runner_id != session.runner_id:
        recovery.leave_runner(tick, session)
    session.runner_id = runner_id
    if runner_id:
        turns.forgive(tick, session)
        recovery.deliver_unanswered(tick, session)
    transaction.on_commit(partial(publish.ring, "outbox", str(session.pk)))


def _write_labels(session: Session, labels: Mapping[str, str | None]) -> None:
    kept = [
        SessionLabel(session=session, key=key, value=text) for key, text in labels.items() if text is not None
    ]
    removed = [key for key, text in labels.items() if text is None]
    if kept:
        SessionLabel.objects.bulk_create(
            kept, update_conflicts=True, unique_fields=["session", "key"], update_fields=["value"]
        )
    if removed:
        SessionLabel.objects.filter(session=session, key__in=removed).delete()


_DESCENDANTS = """
WITH RECURSIVE tree(id) AS (
  SELECT id FROM sessions_app_session WHERE id = %s
  UNION ALL
  SELECT child.id FROM sessions_app_session child JOIN tree ON child.parent_id = tree.id
)
SELECT id FROM tree
"""


def with_descendants(session_pk: int) -> list[int]:
    """A session and everything below it."""
    return [pk for (pk,) in query(_DESCENDANTS, [session_pk])]


def delete_session(*, session_pk: int) -> bool:
    """Delete a session, its sub-agents and all that belongs to them; false when somebody else did."""
    with transaction.atomic():
        pks = with_descendants(session_pk)
        doomed = Session.objects.select_for_update(of=("self",)).filter(pk__in=pks).order_by("pk")
        public_ids = [public_id for (public_id,) in doomed.values_list("public_id")]
        if not public_ids:
            return False
        own_agents = list(Agent.objects.filter(pk__in=doomed.values("agent_id"), is_builtin=False))
        LogEntry.objects.filter(session__in=pks).delete()
        Session.objects.filter(pk__in=pks).delete()
        delete_unused(own_agents)
        transaction.on_commit(partial(publish.ring, "deleted", *map(str, pks)))
    return True


def delete_unused(agents: Iterable[Agent]) -> None:
    for agent in agents:
        if not Session.objects.filter(agent=agent).exists():
            agent.delete()

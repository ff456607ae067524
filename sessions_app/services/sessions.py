"""Creating, changing and deleting session rows, each all or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents_app.models import Agent
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import items
from policies_app.services.default_policies import NewPolicy
from sessions_app.events import publish
from sessions_app.models import Grant, Kind, LogEntry, Project, Session, SessionLabel
from sessions_app.models.session import new_session_id
from sessions_app.search import indexing
from sessions_app.services import blobs, copying, files, policy_rows, spending
from sessions_app.services.access import Level, not_found
from sessions_app.services.copying import History
from sessions_app.services.item_forms import NewItem
from sessions_app.services.tick import Tick, tick_of
from sessions_app.statements import query

SEED_RESPONSE = "seed"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A session to be created; `labels` are in their stored form, `parent` makes it a sub-agent's.

    An agent that came with the session is saved together with it. `policies` have been checked;
    `bound_like` is the key of a session whose policies bind the new one, too.
    """

    agent: Agent
    is_agent_new: bool = False
    public_id: str = field(default_factory=new_session_id)
    parent: Session | None = None
    project: Project | None = None
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
    external_session_id: str = ""
    initial_items: Sequence[items.ItemData] = ()
    history: History | None = None
    policies: Sequence[NewPolicy] = ()
    bound_like: int | None = None


def create_session(*, new: NewSession, owner: str) -> Session:
    """Create a session with its labels and first items. Raises CONFLICT for a taken child title."""
    if new.parent is None:
        with transaction.atomic():
            return _store(new, owner)
    try:
        # The parent's row first: whoever locks a sub-agent has locked those above it before.
        with transaction.atomic(), tick_of([new.parent.pk]) as tick:
            if new.parent.pk not in tick.sessions:
                raise not_found()
            return create_child(tick, new=new, owner=owner)
    except IntegrityError:
        raise OmnigentError(
            ErrorCode.CONFLICT, f"A sub-agent session titled '{new.title}' exists already"
        ) from None


def create_child(tick: Tick, *, new: NewSession, owner: str) -> Session:
    """Create a sub-agent of a session that the tick has locked. Raises IntegrityError for a taken title."""
    child = _store(new, owner)
    tick.adopt_child(child)
    return child


def _store(new: NewSession, owner: str) -> Session:
    session = _insert(new, owner)
    write_labels(session, new.labels)
    if new.bound_like is not None:
        policy_rows.take_over(new.bound_like, session, by=owner)
    policy_rows.attach(session.pk, session.public_id, new.policies, by=owner)
    transaction.on_commit(partial(publish.ring, "shown", str(session.pk)))
    if new.history is not None:
        copying.copy_items(new.history, session)
    if new.initial_items:
        with tick_of([session.pk]) as tick:
            for data in new.initial_items:
                tick.add_item(tick.sessions[session.pk], NewItem(data=data, response_id=SEED_RESPONSE))
    return session


def _insert(new: NewSession, owner: str) -> Session:
    now = timezone.now()
    if new.is_agent_new:
        new.agent.save(force_insert=True)
    session = Session(
        public_id=new.public_id,
        agent=new.agent,
        title=new.title,
        project=new.project,
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
        external_session_id=new.external_session_id,
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


def write_labels(session: Session, labels: Mapping[str, str | None]) -> None:
    """Set labels in their stored form; None removes one."""
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
        indexing.exclude_writer()
        # The parent's totals shrink; its row is locked before those of its children, as everywhere.
        if Session.objects.filter(children=session_pk).update(is_usage_due=True):
            transaction.on_commit(partial(publish.ring, "usage"))
        pks = with_descendants(session_pk)
        doomed = Session.objects.select_for_update(of=("self",)).filter(pk__in=pks).order_by("pk")
        public_ids = [public_id for (public_id,) in doomed.values_list("public_id")]
        if not public_ids:
            return False
        spending.account(pks)
        own_agents = list(Agent.objects.filter(pk__in=doomed.values("agent_id"), is_builtin=False))
        digests = files.digests_of(pks)
        LogEntry.objects.filter(session__in=pks).delete()
        Session.objects.filter(pk__in=pks).delete()
        delete_unused(own_agents)
        transaction.on_commit(partial(publish.ring, "deleted", *map(str, pks)))
        transaction.on_commit(partial(blobs.release, digests), robust=True)
    return True


def delete_unused(agents: Iterable[Agent]) -> None:
    """Delete those of these agents that no session is bound to, unless somebody keeps them for more."""
    for agent in agents:
        is_kept = agent.is_builtin or (agent.is_reusable and agent.deleted_at is None)
        if not is_kept and not Session.objects.filter(agent=agent).exists():
            agent.delete()

"""Forking: what a new session takes over from the one whose conversation it goes on from."""

from collections.abc import Mapping

from django.db.models import Max
from django.utils import timezone

from agents_app.models import Agent
from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT, canonical
from omnigent.spec import harnesses
from sessions_app.bodies import ForkSession
from sessions_app.models import Item, Session, SessionLabel, Turn, TurnStatus
from sessions_app.services import access, messages, rules
from sessions_app.services.access import Level
from sessions_app.services.copying import History
from sessions_app.services.sessions import NewSession
from sessions_app.statements import Slot, Statement, compiled, kept

MAX_TITLE = 200
ID_SHOWN = 16


def checked(principal: Principal, source_id: str, body: ForkSession) -> NewSession:
    """The session that a fork makes. Whoever may read the source may fork it, and owns the fork."""
    found = access.require(principal, source_id, Level.READ)
    if principal.kind == "runner":
        # A fork belongs to whoever makes it, and no runner owns anything.
        raise OmnigentError(ErrorCode.FORBIDDEN, "A runner may not fork a session")
    source: Session | None = Session.objects.select_related("agent").filter(pk=found.pk).first()
    if source is None:
        raise access.not_found()
    if source.agent is None:
        raise rules.invalid("The session has no agent and cannot be forked")
    if body.agent_id is None:
        messages.require_agent(source)
    agent, is_new = _agent(principal, source.agent, body.agent_id)
    is_switched = not is_new and agent.pk != source.agent.pk
    keeps_model = not is_switched or _is_same_provider(source.harness_override or source.agent.harness, agent)
    effort = rules.reasoning_effort(body.reasoning_effort or "")
    model = rules.model_override(body.model_override or "")
    return NewSession(
        agent=agent,
        is_agent_new=is_new,
        title=(body.title or "").strip() or _title(source),
        labels=_labels(source),
        reasoning_effort=effort or (source.reasoning_effort if keeps_model else ""),
        model_override=model or (source.model_override if keeps_model else ""),
        harness_override="" if is_switched else source.harness_override,
        terminal_launch_args=body.terminal_launch_args,
        workspace=body.workspace or "",
        sub_agent_name="" if is_switched else source.sub_agent_name,
        history=_history(source, body.up_to_response_id),
        bound_like=source.pk,
    )


def bindable_builtin(agent_id: str) -> Agent:
    """An agent of the operator. Raises 404 for one that is unknown or belongs to a session."""
    public_id = canonical(AGENT, agent_id)
    agent = Agent.objects.filter(public_id=public_id, is_builtin=True).first() if public_id else None
    if agent is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, f"Agent not found or not bindable: '{agent_id}'")
    return agent


def _agent(principal: Principal, own: Agent, wanted: str | None) -> tuple[Agent, bool]:
    """The fork's agent, and whether it is a new row: nobody is bound to what another person may delete."""
    if wanted is not None and canonical(AGENT, wanted) != own.public_id:
        return bindable_builtin(wanted), False
    if own.is_builtin or own.created_by == principal.user_id:
        return own, False
    copy = Agent(
        name=own.name,
        description=own.description,
        harness=own.harness,
        model=own.model,
        digest=own.digest,
        details=own.details,
        bundle_bytes=own.bundle_bytes,
        created_by=principal.user_id,
        created_at=timezone.now(),
    )
    return copy, True


def _is_same_provider(before: str | None, agent: Agent) -> bool:
    return harnesses.provider_of(before or "") == harnesses.provider_of(agent.harness or "")


def _title(source: Session) -> str:
    named = source.title or f"{source.public_id[:ID_SHOWN]}…"
    return f"Fork of {named}"[:MAX_TITLE]


def _labels(source: Session) -> Mapping[str, str]:
    own = SessionLabel.objects.filter(session=source).values_list("key", "value")
    kept = {key: value for key, value in own if rules.is_forked(key)}
    return {**kept, rules.FORK_SOURCE: source.public_id}


def _history(source: Session, response_id: str | None) -> History:
    """The items up to a response's last one, or all; what the running turn has written is not among them."""
    begun = _begun().row(session=source.pk, limit=1)
    end = source.position if begun is None else begun[0] - 1
    if response_id is not None:
        answered = Item.objects.filter(session=source, response_id=response_id, position__lte=end)
        last: int | None = answered.aggregate(last=Max("position"))["last"]
        if last is None:
            raise rules.invalid(f"response not found in conversation '{source.public_id}': '{response_id}'")
        end = last
    return History(session_pk=source.pk, end=end)


@kept
def _begun() -> Statement:
    """Where the items of a session's running turn begin."""
    running = Turn.objects.filter(session=Slot("session"), status=TurnStatus.RUNNING).exclude(response_id="")
    written = Item.objects.filter(session=Slot("session"), response_id__in=running.values("response_id"))
    return compiled(written.order_by("position").values_list("position"), limited=True)

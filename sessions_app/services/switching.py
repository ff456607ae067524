"""Another agent for a session, in place: the conversation stays, what belonged to the old agent goes."""

import orjson

from agents_app.models import Agent
from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import events
from omnigent.spec import harnesses
from sessions_app import snapshot
from sessions_app.bodies import SwitchAgent
from sessions_app.models import Kind, Outbox, OutboxKind, Session
from sessions_app.services import access, controls, forking, receipts, rules
from sessions_app.services.access import Level
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.sessions import delete_unused
from sessions_app.services.tick import Tick, tick_of
from sessions_app.services.turns import BUSY


def switch_agent(principal: Principal, session_id: str, body: SwitchAgent, claimed: Claim | None) -> Answer:
    """Bind the session to one of the operator's agents and answer its snapshot without items.

    Raises 404 for an agent that cannot be bound, 400 for the same one or a sub-agent, 409 while a turn runs.
    """

    def work() -> Answer:
        found = access.require(principal, session_id, Level.EDIT)
        agent = forking.bindable_builtin(body.agent_id)
        with tick_of([found.pk]) as tick:
            session = tick.sessions.get(found.pk)
            if session is None:
                raise access.not_found()
            _refuse(session, agent)
            _switch(tick, session, agent)
        shown = snapshot.read(
            found.pk,
            permission_level=found.level,
            user_id=principal.user_id,
            wanted=snapshot.Wanted(items=False),
        )
        if shown is None:
            raise access.not_found()
        return Answer(200, orjson.dumps(shown))

    return receipts.once(claimed, work)


def _refuse(session: Session, agent: Agent) -> None:
    if session.kind == Kind.SUB_AGENT:
        raise rules.invalid("The agent of a sub-agent session is its parent's to choose")
    if session.agent is None:
        raise rules.invalid("The session has no agent")
    if session.agent_id == agent.pk:
        raise rules.invalid("Session is already running this agent — pick a different one.")
    if session.status in BUSY or Outbox.objects.filter(session=session, kind=OutboxKind.MESSAGE).exists():
        raise OmnigentError(
            ErrorCode.CONFLICT,
            "Session is busy — wait for the current turn to finish before switching agent.",
        )


def _switch(tick: Tick, session: Session, agent: Agent) -> None:
    old = session.agent
    before = session.harness_override or (old.harness if old else "") or ""
    if harnesses.provider_of(before) != harnesses.provider_of(agent.harness or ""):
        session.reasoning_effort = ""
        session.model_override = ""
    session.agent = agent
    session.harness_override = ""
    session.external_session_id = ""
    session.sub_agent_name = ""
    session.reported_model = ""
    session.context_window = agent.details.get("context_window")
    session.updated_at = tick.now
    Session.objects.filter(pk=session.pk).update(agent=agent, sub_agent_name="")
    tick.append(
        session,
        events.SessionAgentChanged(
            conversation_id=session.public_id, agent_id=agent.public_id, agent_name=agent.name
        ),
    )
    controls.forget(tick, session)
    if old is not None and not old.is_builtin:
        delete_unused([old])

"""Changing agents: a person's own, or the one that a session runs; every session bound to it hears of it."""

from collections.abc import Callable

import orjson
from django.db import transaction
from django.db.models import ProtectedError

from agents_app import services as agents
from agents_app.bodies import AgentChanges
from agents_app.configs import check_precondition, config_object, stale
from agents_app.editing import EditRefused, Files, NoSuchServer, ServerExists, apply_changes
from agents_app.models import Agent
from omnigent.accounts.identity import Principal
from omnigent.api.validation import ValidationFailed, problem
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT, canonical
from omnigent.spec import AgentSpec, BundleError, InvalidAgentError
from sessions_app.models import Session
from sessions_app.services import access, agent_changes, agent_rules, messages, receipts, rules
from sessions_app.services.access import Level
from sessions_app.services.receipts import Answer, Claim

ATTEMPTS = 3
MAX_NAMED = 100

Change = Callable[[Files], Files]
Answering = Callable[[Agent, AgentSpec], Answer]


class Overtaken(Exception):
    """Somebody else has changed the agent since it was read."""


def post_agent(principal: Principal, data: bytes, claimed: Claim | None) -> Answer:
    """Keep an uploaded agent for its owner: a new one, or new content for the one of that name."""
    known = receipts.look(claimed)
    if known.answer is not None:
        return known.answer
    content = _content(data)

    def work() -> Answer:
        saved = agents.save_own(content=content, created_by=principal.user_id, around=agent_changes.announced)
        return _shown(saved)

    return receipts.once(claimed, work)


def put_agent(principal: Principal, session_id: str, data: bytes, claimed: Claim | None) -> Answer:
    """Give the session's agent the content of an uploaded bundle, which must keep its name."""
    known = receipts.look(claimed)
    if known.answer is not None:
        return known.answer
    agent = editable(principal, session_id)
    content = _content(data)
    if content.spec.name != agent.name:
        raise rules.invalid(f"name: the agent is '{agent.name}', and the name of an agent never changes")

    def work() -> Answer:
        if agents.replace_content(agent=agent, content=content, around=agent_changes.announced) is None:
            raise _busy()
        return _shown(agent)

    return receipts.once(claimed, work)


def edit_agent(
    principal: Principal, session_id: str, change: Change, claimed: Claim | None, answering: Answering
) -> Answer:
    """Change files of the session's agent and answer what `answering` makes of it."""
    known = receipts.look(claimed)
    if known.answer is not None:
        return known.answer
    for _ in range(ATTEMPTS):
        try:
            return _edit(editable(principal, session_id), change, claimed, answering)
        except Overtaken:
            continue
    raise _busy()


def patch_agent(
    principal: Principal, agent_id: str, changes: AgentChanges, if_match: str | None, claimed: Claim | None
) -> Answer:
    """Change one's own agent, if it still is as the caller has seen it."""
    known = receipts.look(claimed)
    if known.answer is not None:
        return known.answer
    agent = changeable(principal, agent_id)
    check_precondition(agent, if_match)
    try:
        return _edit(agent, lambda files: apply_changes(files, changes), claimed, _as_config)
    except Overtaken:
        raise stale() from None


def delete_agent(principal: Principal, agent_id: str, claimed: Claim | None, *, is_forced: bool) -> Answer:
    """Delete one's own agent. Raises AGENT_IN_USE while sessions are bound to it, unless it is forced: then
    they keep their transcript and can no longer run.
    """

    def work() -> Answer:
        agent = own(principal, agent_id)
        bound = agent_changes.bound_sessions(agent.pk)
        if bound and not is_forced:
            raise _in_use(bound)
        _delete(agent, is_bound=bool(bound))
        return Answer(200, orjson.dumps({"id": agent.public_id, "deleted": True}))

    return receipts.once(claimed, work)


def _delete(agent: Agent, *, is_bound: bool) -> None:
    try:
        with transaction.atomic():
            if not is_bound:
                agents.delete_agent(agent=agent, is_bound=False)
                return
            with agent_changes.announced(agent.pk):
                agents.delete_agent(agent=agent, is_bound=True)
    except ProtectedError:
        # A session was bound to it at this very moment.
        raise _in_use(agent_changes.bound_sessions(agent.pk)) from None


def own(principal: Principal, agent_id: str) -> Agent:
    """The caller's own agent. Raises NOT_FOUND, for the operator's too."""
    public_id = canonical(AGENT, agent_id)
    found = Agent.objects.present().filter(created_by=principal.user_id, is_builtin=False)
    agent = found.filter(public_id=public_id).first() if public_id else None
    if agent is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, f"Agent not found: '{agent_id}'")
    return agent


def changeable(principal: Principal, agent_id: str) -> Agent:
    """The caller's own agent. Raises CONFLICT for the operator's, which are read-only, else NOT_FOUND."""
    public_id = canonical(AGENT, agent_id)
    if public_id and Agent.objects.builtin().filter(public_id=public_id).exists():
        raise OmnigentError(ErrorCode.CONFLICT, "The agent is this server's own and cannot be changed")
    return own(principal, agent_id)


def editable(principal: Principal, session_id: str) -> Agent:
    """The agent of a session, if the caller may change it: the owner of both, or an administrator.

    Raises 404 and 403, 400 for an operator's agent, 410 for a deleted one.
    """
    found = access.require(principal, session_id, Level.OWNER)
    session = Session.objects.select_related("agent").filter(pk=found.pk).first()
    if session is None:
        raise access.not_found()
    messages.require_agent(session)
    agent: Agent = session.agent
    if agent.is_builtin:
        raise rules.invalid("The session runs an agent of this server, which cannot be changed here")
    is_owner = access.is_single_user() or principal.is_admin or agent.created_by == principal.user_id
    if not is_owner:
        raise OmnigentError(ErrorCode.FORBIDDEN, "The session's agent belongs to somebody else")
    return agent


def _edit(agent: Agent, change: Change, claimed: Claim | None, answering: Answering) -> Answer:
    """Read, change, judge and store the bundle; the row changes only if nobody else was faster."""
    try:
        content = agents.content_of(change(agents.files_of(agent)), agent_rules.problems)
    except NoSuchServer as error:
        raise OmnigentError(ErrorCode.NOT_FOUND, str(error)) from None
    except ServerExists as error:
        raise OmnigentError(ErrorCode.ALREADY_EXISTS, str(error)) from None
    except EditRefused as error:
        raise ValidationFailed([problem("value_error", ("body",), str(error))]) from None
    except BundleError as error:
        raise rules.invalid(str(error)) from None
    except InvalidAgentError as error:
        raise ValidationFailed([problem("value_error", ("body",), str(error))]) from None

    def work() -> Answer:
        if agents.replace_content(agent=agent, content=content, around=agent_changes.announced) is None:
            raise Overtaken
        agent.refresh_from_db()
        return answering(agent, content.spec)

    return receipts.once(claimed, work)


def _content(data: bytes) -> agents.Content:
    try:
        return agents.read_upload(data, agent_rules.problems)
    except InvalidAgentError as error:
        raise rules.invalid(str(error)) from None


def _shown(agent: Agent) -> Answer:
    row = Agent.objects.values_list(*agents.OBJECT_COLUMNS).get(pk=agent.pk)
    return Answer(200, orjson.dumps(agents.agent_object(row)))


def _as_config(agent: Agent, spec: AgentSpec) -> Answer:
    return Answer(200, orjson.dumps(config_object(agent, spec)))


def _in_use(bound: list[str]) -> OmnigentError:
    message = f"{len(bound)} sessions are bound to the agent; force=true deletes it all the same"
    return OmnigentError(ErrorCode.AGENT_IN_USE, message, detail={"sessions": bound[:MAX_NAMED]})


def _busy() -> OmnigentError:
    return OmnigentError(ErrorCode.CONFLICT, "The agent is being changed elsewhere; send it again")

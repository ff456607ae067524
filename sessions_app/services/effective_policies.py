"""The chain of a session as it is asked now, each policy with where it comes from and why it is there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents_app import services as agents
from agents_app.models import Agent
from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.policies.types import PolicyLevel, PolicyRef
from omnigent.spec.types import PolicyDecl
from policies_app.catalogue import catalogue
from policies_app.models import DefaultPolicy, PolicyBase
from policies_app.services.handlers import check_handler
from sessions_app.models import SessionPolicy
from sessions_app.services import access
from sessions_app.services.access import Level
from sessions_app.services.policing import facts as reading
from sessions_app.services.policing.chains import GUARDS, Chains
from sessions_app.services.policing.facts import Facts

FUNCTION = "function"
SOURCES: Mapping[PolicyLevel, str] = {
    PolicyLevel.SESSION: "session",
    PolicyLevel.AGENT: "spec",
    PolicyLevel.SERVER: "admin",
    PolicyLevel.GUARD: "guard",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a policy was compiled from; no type and no handler when it was not compiled from anything."""

    why: str
    type: str | None = None
    handler: str | None = None
    factory_params: Mapping[str, Any] | None = None


def effective(*, principal: Principal, session_id: str, chains: Chains) -> list[dict[str, Any]]:
    """All policies that the session's actions are put to, in order, and those that are switched off."""
    found = access.require(principal, session_id, Level.READ)
    facts = reading.read(found.pk)
    refs = chains.of(facts)
    origins = _Origins(facts, refs)
    return [_shown(ref, origins.of(ref)) for ref in refs]


def _shown(ref: PolicyRef, origin: Origin) -> dict[str, Any]:
    return {
        "id": ref.policy_id,
        "name": ref.name,
        "level": ref.level,
        "source": SOURCES[ref.level],
        "type": origin.type,
        "handler": origin.handler,
        "version": ref.version,
        "mode": "shadow" if ref.shadow else "enforce",
        "enabled": ref.enabled,
        "why": " ".join([origin.why, *_remarks(ref, origin)]),
    }


def _remarks(ref: PolicyRef, origin: Origin) -> Iterator[str]:
    if not ref.enabled:
        yield "It is switched off and is not asked."
        return
    if ref.shadow:
        yield "It runs as a shadow: what it says is noted and decides nothing."
    if origin.handler is None or ref.level is PolicyLevel.GUARD:
        return
    kind = "python" if origin.type == FUNCTION else str(origin.type)
    try:
        check_handler(type=kind, handler=origin.handler, factory_params=origin.factory_params)
    except OmnigentError as error:
        yield f"It cannot be applied as it is: {error.message}."


class _Origins:
    """Where the policies of one chain come from, read with a few statements for all of them."""

    def __init__(self, facts: Facts, refs: Sequence[PolicyRef]) -> None:
        self._facts = facts
        keys = {facts.root.pk, facts.own.pk}
        self._own = {row.public_id: row for row in SessionPolicy.objects.filter(session__in=keys)}
        self._server = {row.public_id: row for row in DefaultPolicy.objects.all()}
        self._config = {f"config:{one.name}": one for one in catalogue().config_policies}
        of_agent = [id(ref) for ref in refs if ref.level is PolicyLevel.AGENT]
        declared = list(_declared(facts)) if of_agent else []
        # The chain has them in the order of the specification.
        self._agent = dict(zip(of_agent, declared, strict=True)) if len(of_agent) == len(declared) else {}

    def of(self, ref: PolicyRef) -> Origin:
        """Where this one comes from."""
        match ref.level:
            case PolicyLevel.SESSION:
                return self._of_session(ref)
            case PolicyLevel.AGENT:
                return self._agent.get(id(ref)) or Origin(
                    why="The agent's own policies cannot be read, so all that they might forbid is forbidden."
                )
            case PolicyLevel.SERVER:
                return self._of_server(ref)
            case _:
                return Origin(
                    why="It is built into the server and cannot be switched off.",
                    type=FUNCTION,
                    handler=dict(GUARDS).get(ref.name),
                )

    def _of_session(self, ref: PolicyRef) -> Origin:
        row = self._own.get(ref.policy_id)
        if row is not None and row.session_id == self._facts.own.pk:
            return _stored(row, "It was attached to this session.")
        return _stored(row, f"It was attached to {self._facts.root_id}, whose sub-agents it binds too.")

    def _of_server(self, ref: PolicyRef) -> Origin:
        declared = self._config.get(ref.policy_id)
        if declared is not None:
            return _from(declared, "The server's configuration file applies it to every session.")
        row = self._server.get(ref.policy_id)
        if row is None:
            return Origin(
                why="An administrator has stopped the agent, the owner or the host of this session."
            )
        return _stored(row, "An administrator applies it to every session.")


def _stored(row: PolicyBase | None, why: str) -> Origin:
    if row is None:
        # Taken away since the chain was looked up.
        return Origin(why=why)
    return Origin(why=why, type=row.type, handler=row.handler, factory_params=row.factory_params)


def _from(declared: PolicyDecl, why: str) -> Origin:
    params = declared.factory_params
    return Origin(why=why, type=FUNCTION, handler=declared.handler, factory_params=params)


def _declared(facts: Facts) -> Iterator[Origin]:
    """The policies of the agent's specification, and of the sub-agent that the session is."""
    agent = Agent.objects.filter(pk=facts.root_agent.pk).first() if facts.root_agent else None
    if agent is None:
        return
    try:
        spec = agents.spec_of(agent)
    except OmnigentError:
        return
    for one in spec.policies:
        yield _from(one, f"The agent '{agent.name}' declares it.")
    name = "" if facts.is_root else facts.sub_agent_name
    below = spec.sub_agent(name) if name else None
    for one in below.policies if below and below.policies is not spec.policies else ():
        yield _from(one, f"The sub-agent '{name}' of the agent '{agent.name}' declares it.")

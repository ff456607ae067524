"""The policies of a session in the order in which they are asked, compiled once for each version."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from agents_app import services as agents
from agents_app.models import Agent
from omnigent.errors import OmnigentError
from omnigent.policies.calls import Answer, Event, deny, phase_of
from omnigent.policies.engine import GATED
from omnigent.policies.types import PolicyLevel, PolicyRef
from omnigent.spec import AgentSpec
from omnigent.spec.types import LabelDecl, PolicyDecl
from policies_app.building import Builder
from policies_app.catalogue import catalogue
from policies_app.models import DefaultPolicy, KillSwitch, KillSwitchKind
from sessions_app.models import SessionPolicy
from sessions_app.running import process_or_none
from sessions_app.services.policing.facts import Facts, Place

logger = logging.getLogger(__name__)

KEPT = 4096
KILL, KILL_SWITCH_NAME = "kill", "kill switch"
GUARDED_TOOLS = frozenset({"sys_add_policy", "sys_scheduled_task_create", "sys_scheduled_task_update"})
GUARDS = (
    ("__ask_on_add_policy", "omnigent.policies.builtins.safety.ask_on_add_policy"),
    ("__ask_on_scheduled_task_change", "omnigent.policies.builtins.safety.ask_on_scheduled_task_change"),
)

Refs = tuple[PolicyRef, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentPart:
    """What an agent's specification says: policies, labels, and how long its questions may stay open."""

    refs: Refs = ()
    ask_timeout: float | None = None
    labels: Mapping[str, LabelDecl] = field(default_factory=dict)

    def first_labels(self, known: Mapping[str, str]) -> dict[str, str]:
        """The first values of labels that nobody has set yet."""
        firsts = {key: one.initial for key, one in self.labels.items() if key not in known}
        return {key: text for key, text in firsts.items() if text is not None}

    def allowed(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Those of these labels that may be written: a declared one takes its declared values only."""
        declared = {key: one.values for key, one in self.labels.items() if one.values is not None}
        return {key: text for key, text in labels.items() if text in declared.get(key, (text,))}


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerPart:
    """What holds for every session. `stopped` has the reason by (kind, target) of each kill switch."""

    refs: Refs
    stopped: dict[tuple[str, str], str]


class Chains:
    """Chains of this process. Looking one up may read the database; from any thread.

    A change anywhere has a number of its own, which is part of the key: what is kept is never stale.
    """

    def __init__(self, builder: Builder, declared: Sequence[PolicyDecl] = ()) -> None:
        self._builder = builder
        self._declared = tuple(declared)
        self._guards = tuple(builder.guard(name, handler) for name, handler in GUARDS)
        self._server = lru_cache(maxsize=8)(self._read_server)
        self._agent = lru_cache(maxsize=KEPT)(self._read_agent)
        self._session = lru_cache(maxsize=KEPT)(self._read_session)

    def of(self, facts: Facts) -> Refs:
        """The whole chain of a session; only the guards when nobody has asked for more."""
        server = self._server(facts.server_revision)
        own = self._session(facts.root.pk, facts.root.chain_revision) if facts.root.chain_revision else ()
        if not facts.is_root and facts.own.chain_revision:
            below = self._session(facts.own.pk, facts.own.chain_revision)
            own = (*own, *(ref for ref in below if not _is_copy(ref, own)))
        stop = _stop(facts, server)
        return (*stop, *own, *self.agent_part(facts).refs, *server.refs, *self._guards)

    def agent_part(self, facts: Facts) -> AgentPart:
        """The specification's own policies: of the root's agent, and of the sub-agent that the session is."""
        if facts.root_agent is None:
            return AgentPart()
        return self._agent(facts.root_agent, "" if facts.is_root else facts.sub_agent_name)

    def is_plain(self, refs: Refs) -> bool:
        """Whether nothing is in the chain but what is in every chain."""
        return len(refs) == len(self._guards)

    def _read_server(self, _revision: int) -> ServerPart:
        rows = DefaultPolicy.objects.order_by("created_at", "id")
        refs = [self._builder.from_row(row, PolicyLevel.SERVER) for row in rows]
        refs += [
            self._builder.from_declaration(one, PolicyLevel.SERVER, f"config:{one.name}")
            for one in self._declared
        ]
        stopped = {(one.kind, one.target): one.reason for one in KillSwitch.objects.all()}
        return ServerPart(refs=tuple(refs), stopped=stopped)

    def _read_session(self, session_pk: int, _revision: int) -> Refs:
        rows = SessionPolicy.objects.filter(session=session_pk).order_by("created_at", "id")
        return tuple(self._builder.from_row(row, PolicyLevel.SESSION) for row in rows)

    def _read_agent(self, place: Place, sub_agent: str) -> AgentPart:
        agent = Agent.objects.filter(pk=place.pk).first()
        if agent is None or not (sub_agent or agent.details.get("policies")):
            return AgentPart()
        try:
            spec = agents.spec_of(agent)
        except OmnigentError as error:
            logger.exception("agent_policies_unreadable", extra={"agent": agent.public_id})
            return AgentPart(refs=(_unreadable(agent, str(error)),))
        below = spec.sub_agent(sub_agent) if sub_agent else None
        # A clone of the root declares the root's policies: they are asked once.
        own = self._of_spec(agent, below) if below and below.policies is not spec.policies else ()
        refs = [*self._of_spec(agent, spec), *own]
        timeouts = (below.ask_timeout if below else None, spec.ask_timeout)
        labels = {**(below.labels if below else {}), **spec.labels}
        timeout = next((one for one in timeouts if one), None)
        return AgentPart(refs=tuple(refs), ask_timeout=timeout, labels=labels)

    def _of_spec(self, agent: Agent, spec: AgentSpec) -> list[PolicyRef]:
        return [
            self._builder.from_declaration(
                one, PolicyLevel.AGENT, f"{agent.public_id}.{agent.version}:{one.name}"[:64]
            )
            for one in spec.policies
        ]


def _is_copy(ref: PolicyRef, others: Refs) -> bool:
    """An inherited policy that a child has once more is asked once."""
    return any((one.policy_id, one.name) == (ref.policy_id, ref.name) for one in others)


def _stop(facts: Facts, server: ServerPart) -> Refs:
    """A first policy that denies everything, while an administrator has stopped the agent, owner or host."""
    targets = (
        (KillSwitchKind.AGENT, facts.agent_id),
        (KillSwitchKind.AGENT, facts.root_agent_id),
        (KillSwitchKind.USER, facts.owner),
        (KillSwitchKind.HOST, facts.host_id),
    )
    for kind, target in targets:
        if target and (kind, target) in server.stopped:
            reason = stop_reason(kind, server.stopped[kind, target])
            stop = PolicyRef(
                name=KILL_SWITCH_NAME, handler=_denying(reason), policy_id=KILL, level=PolicyLevel.SERVER
            )
            return (stop,)
    return ()


def stop_reason(kind: str, why: str) -> str:
    """What whoever is stopped is told."""
    return f"an administrator has stopped this {kind}" + (f": {why}" if why else "")


def _denying(reason: str) -> Callable[[Event], Answer | None]:
    def handler(event: Event) -> Answer | None:
        return deny(reason) if phase_of(event) in GATED else None

    return handler


def _unreadable(agent: Agent, why: str) -> PolicyRef:
    """Policies that nobody can read forbid everything that they might."""
    reason = f"the policies of this agent cannot be read: {why}"[:500]
    return PolicyRef(
        name="agent policies",
        handler=_denying(reason),
        policy_id=agent.public_id,
        level=PolicyLevel.AGENT,
    )


class _NoUrls:
    """Where no server runs, url policies are known and not asked."""

    seconds = 1.0

    def handler(self, *, policy_id: str, name: str, url: str) -> Callable[[Event], Answer | None]:
        return _denying("no server runs here that could ask it")


def chains_here() -> Chains:
    """The chains of this process; where no server runs, ones of the moment."""
    process = process_or_none()
    if process is not None:
        return process.policies.chains
    known = catalogue()
    return Chains(Builder(registry=known.registry, remotes=_NoUrls()), known.config_policies)

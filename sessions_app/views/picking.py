"""Agents and hosts as the pages offer them: what each is, and whether one of the hosts can run an agent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from agents_app.models import Agent
from agents_app.queries import OWN_LIMIT
from agents_app.services import OBJECT_COLUMNS, agent_object
from omnigent.accounts.identity import Principal
from omnigent.spec.capabilities import GENERAL_STEPS, HarnessInfo, info_of
from omnigent.spec.catalogue import catalogue
from sessions_app.models import Host, TunnelKind
from sessions_app.services import harness_readiness, presence

BUILTIN_LIMIT = 200
CAN_RUN = frozenset({harness_readiness.READY, harness_readiness.UNKNOWN})
OBSTACLES: Mapping[str, str] = {
    "needs-auth": "Needs a key on the host",
    "package-missing": "Its package is missing on the host",
    "binary-missing": "Its program is missing on the host",
}
"""Why a host cannot run a harness, the least of it first."""
NO_HOST_CAN = "No online host can run it"
NOT_LOADABLE = "Cannot be loaded"
LOST = "Its bundle is missing or damaged."


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRow:
    """A host as the pages name it; `harnesses` maps each to True, or to a word or False for why not."""

    id: str
    name: str
    is_online: bool
    harnesses: Mapping[str, object] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentRow:
    """An agent as the pages name it. `fault` says why its bundle cannot be read; `obstacle`, why no online
    host could run it now, and `steps` what to do about that. All are empty when nothing is in the way.
    """

    id: str
    name: str
    version: int
    description: str
    harness: str
    label: str
    model: str
    is_own: bool
    changed_at: int
    fault: str
    obstacle: str
    steps: tuple[str, ...]


def hosts_of(principal: Principal) -> list[HostRow]:
    """The caller's hosts, the reachable ones first."""
    rows = Host.objects.filter(owner=principal.user_id).order_by("name")
    found = list(rows.values_list("public_id", "name", "configured_harnesses"))
    online = presence.online(TunnelKind.HOST, [host_id for host_id, _, _ in found])
    hosts = [
        HostRow(id=host_id, name=name, is_online=host_id in online, harnesses=harnesses)
        for host_id, name, harnesses in found
    ]
    return sorted(hosts, key=lambda host: not host.is_online)


def agents_of(principal: Principal, hosts: Sequence[HostRow]) -> tuple[list[AgentRow], list[AgentRow]]:
    """The caller's own agents, newest first, and the operator's; of each, those that can run come first."""
    online = [host for host in hosts if host.is_online]
    own = Agent.objects.reusable_of(principal.user_id).order_by("-created_at", "-id")[:OWN_LIMIT]
    builtin = Agent.objects.builtin().order_by("created_at", "id")[:BUILTIN_LIMIT]
    return _usable_first(_rows(own, online)), _usable_first(_rows(builtin, online))


def label_of(harness: str) -> str:
    """A harness in the words of the catalogue; its own name when that does not have it."""
    info = _info(harness)
    return info.label if info is not None else harness


def _usable_first(rows: Iterator[AgentRow]) -> list[AgentRow]:
    return sorted(rows, key=lambda agent: bool(agent.obstacle))


def _rows(agents: "QuerySet[Agent]", online: Sequence[HostRow]) -> Iterator[AgentRow]:
    for *row, model in agents.values_list(*OBJECT_COLUMNS, "model"):
        shown, load_error = agent_object(tuple(row)), row[-1]
        harness = shown["harness"] or ""
        obstacle = _obstacle(harness, online)
        yield AgentRow(
            id=shown["id"],
            name=shown["name"],
            version=shown["version"],
            description=shown["description"] or "",
            harness=harness,
            label=label_of(harness),
            model=model,
            is_own=not shown["builtin"],
            changed_at=shown["updated_at"] or shown["created_at"],
            fault="" if harness else load_error or LOST,
            obstacle=obstacle,
            steps=_steps(harness) if harness and obstacle else (),
        )


def _obstacle(harness: str, online: Sequence[HostRow]) -> str:
    """Empty when a host can run the harness, and when nobody is there to tell."""
    if not harness:
        return NOT_LOADABLE
    states = {harness_readiness.state(host.harnesses, harness) for host in online}
    if not states or states & CAN_RUN:
        return ""
    return next((words for state, words in OBSTACLES.items() if state in states), NO_HOST_CAN)


def _steps(harness: str) -> tuple[str, ...]:
    info = _info(harness)
    return (info.setup_steps if info is not None else ()) or GENERAL_STEPS


def _info(harness: str) -> HarnessInfo | None:
    return info_of(harness) or catalogue().get(harness)

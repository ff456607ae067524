"""What this server refuses in agents that people bring along, beyond what no server takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from omnigent.policies.registry import Registry
from omnigent.spec import AgentSpec
from omnigent.spec.uploads import upload_problems
from policies_app.catalogue import catalogue
from sessions_app.services import access


@dataclass(frozen=True, slots=True)
class Registered:
    """The names that policies may be called by: handlers and their aliases."""

    registry: Registry

    def __contains__(self, handler: object) -> bool:
        return isinstance(handler, str) and self.registry.get(handler) is not None


def problems(spec: AgentSpec, files: Mapping[str, bytes]) -> Iterable[str]:
    """Why other people's machines must not run this agent, as `path: why`; the only user trusts himself."""
    if access.is_single_user():
        return ()
    return upload_problems(spec, files.keys(), Registered(catalogue().registry))

"""Registering the operator's agents when the server starts, with news to the sessions that run them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agents_app import seeding, services
from agents_app.models import Agent
from omnigent.errors import OmnigentError
from omnigent.spec import AgentSpec, InvalidAgentError, SpecError, bundle
from policies_app.models import PolicyType
from policies_app.services.handlers import check_handler
from sessions_app.services import agent_changes


class BadAgent(ValueError):
    """An agent that the operator has named cannot be used; the message names it and says why."""


def seed_agents(named: Sequence[Path] = ()) -> list[Agent]:
    """Register the shipped agents, the environment's, and those of `named`, of which each must be good.

    Raises BadAgent. A broken one that nobody named is logged and skipped.
    """
    for place in named:
        _check(place)
    return services.seed(extra=named, around=agent_changes.announced)


def _check(place: Path) -> None:
    try:
        for source in seeding.required(place):
            problems = tuple(_unusable(bundle.spec_of(source.files)))
            if problems:
                raise SpecError(problems)
    except (OSError, InvalidAgentError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadAgent(f"{place}: {reason}") from None


def _unusable(spec: AgentSpec, path: str = "") -> Iterator[str]:
    """The policies that could only ever deny, of the agent and of those below it."""
    for policy in spec.policies:
        try:
            check_handler(
                type=PolicyType.PYTHON, handler=policy.handler, factory_params=policy.factory_params
            )
        except OmnigentError as error:
            yield f"{path}policies.{policy.name}: {error.message}"
    for child in spec.sub_agents:
        yield from _unusable(child, f"{path}sub_agents[{child.name!r}].")

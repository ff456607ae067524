"""From what a person types to the session, agent or host that is meant."""

import re
from collections.abc import Iterable
from typing import Final

from omnigent_client.cli.exits import NothingFoundError, UsageError
from omnigent_client.cli.safe_text import clean_line
from omnigent_client.client import OmnigentClient
from omnigent_client.records.agents import Agent

ID: Final = re.compile(r"[A-Za-z0-9_-]+")
FULL_ID: Final = re.compile(r"conv_[0-9a-f]{32}")
PREFIX: Final = "conv_"
PAGE: Final = 1000
SHOWN: Final = 5
OWN_CHOICE: Final = frozenset({"auto", "none"})


async def find_session(client: OmnigentClient, text: str) -> str:
    """The id of a session: the id itself, or the beginning of exactly one, with or without `conv_`."""
    if not ID.fullmatch(text):
        raise NothingFoundError(f"no session {text!r}: that is not an id")
    if FULL_ID.fullmatch(text):
        return text
    starts = (text, PREFIX + text)
    rows = client.sessions.iter(limit=PAGE, kind="any", include_archived=True)
    found = [row.id async for row in rows if row.id.startswith(starts)]
    if text in found:
        return text
    if len(found) > 1:
        raise UsageError(f"{text} could be {_some(found)}; type more of it")
    # What is not listed may still be there, such as a session that is shared with everybody.
    return found[0] if found else text


async def find_agent(client: OmnigentClient, text: str) -> Agent:
    """An agent by its name or its id; the newest of those that share a name."""
    agents = await client.agents.list_all(limit=PAGE)
    for agent in agents:
        if text in (agent.id, agent.name):
            return agent
    names = sorted({agent.name for agent in agents})
    raise NothingFoundError(f"no agent {clean_line(text)!r}; there are {_some(names)}")


async def find_host(client: OmnigentClient, text: str) -> str | None:
    """What `host_id` should be: auto, nothing at all, or a host by its name or the beginning of its id."""
    if text in OWN_CHOICE:
        return None if text == "none" else text
    hosts = await client.hosts.list()
    found = [host.host_id for host in hosts if text in (host.name, host.host_id)]
    found = found or [host.host_id for host in hosts if host.host_id.startswith(text)]
    if not found:
        names = [host.name or host.host_id for host in hosts]
        raise NothingFoundError(f"no host {clean_line(text)!r}; there are {_some(names)}")
    if len(found) > 1:
        raise UsageError(f"{clean_line(text)} could be {_some(found)}; type more of it")
    return found[0]


def _some(names: Iterable[str]) -> str:
    listed = [clean_line(name) for name in names]
    rest = len(listed) - SHOWN
    shown = ", ".join(listed[:SHOWN]) or "none"
    return f"{shown} and {rest} more" if rest > 0 else shown

"""How long a harness takes before it asks its model, and how long a token is on its way to a reader."""

import statistics
from dataclasses import dataclass

from bench.agents.machine import Machine
from bench.agents.talk import Talk, agent_ids, joined, launched
from bench.agents.vendor import Turn, Vendor

PACED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Milliseconds. From the POST of a message to the model request: with a message right after the session
    was made, whose runner has still to start (`cold`), the first one in another session there (`first`), and
    the median of later ones (`request`). The median from the POST to the first text that can be read, and
    from a token that leaves the vendor to its being in the log and with a reader (`token`).

    The scripted harness asks no vendor: its figures of requests are those until its first text.
    """

    harness: str
    cold: float
    first: float
    request: float
    text: float
    token: float | None


async def measure_latency(machine: Machine, vendor: Vendor, harness: str, *, turns: int) -> Latency:
    """One harness on a runner of its own."""
    agent_id = (await agent_ids(machine.port))[f"bench-{harness}"]
    session = await launched(machine.port, agent_id)
    async with Talk(machine.port, session["id"], harness, vendor) as talk:
        cold = await talk.turn(paced=PACED)
    other = await joined(machine.port, agent_id, session["runner_id"])
    async with Talk(machine.port, other, harness, vendor) as talk:
        first = await talk.turn(paced=PACED)
        warm = [await talk.turn(paced=PACED) for _ in range(turns)]
    delays = [delay for turn in warm for delay in turn.delays]
    return Latency(
        harness=harness,
        cold=begun(cold),
        first=begun(first),
        request=statistics.median(begun(turn) for turn in warm),
        text=statistics.median((turn.first_read - turn.posted) / 1e6 - waited(turn) for turn in warm),
        token=statistics.median(delays) if delays else None,
    )


def begun(turn: Turn) -> float:
    """Until the vendor was asked, or without one until something could be read."""
    return ((turn.asked or turn.first_read) - turn.posted) / 1e6


def waited(turn: Turn) -> float:
    """How long the vendor itself waited before its first token."""
    return (turn.left[0] - turn.asked) / 1e6 if turn.asked else 0.0

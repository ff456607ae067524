"""Deltas through one tunnel as fast as it takes them, to few and many readers of one session."""

from dataclasses import dataclass

from bench.delivery import measure_relay
from bench.fake_runner import FakeRunner
from bench.fleet.grounds import Grounds
from bench.journeys import Seeded, bound_session

READERS = (1, 50)


@dataclass(frozen=True, kw_only=True, slots=True)
class Relay:
    """How many of the runner's deltas a second every reader has got."""

    readers: int
    deltas_per_s: float


async def measure_relays(grounds: Grounds, *, deltas: int) -> list[Relay]:
    """The same number of deltas for each number of readers."""
    server = grounds.replica(0)
    runner = FakeRunner(server.port)
    await runner.start()
    try:
        agent_id = await grounds.agent_id()
        session_id = await bound_session(server.port, agent_id, runner)
        world = Seeded(agent_id=agent_id, session_id=session_id, runner=runner, sources={})
        return [
            Relay(readers=count, deltas_per_s=await measure_relay(server, world, deltas, readers=count))
            for count in READERS
        ]
    finally:
        await runner.stop()

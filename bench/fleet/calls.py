"""Requests that a runner answers: how long the way through its tunnel takes, on either replica."""

from dataclasses import dataclass

from bench.fake_runner import FakeRunner
from bench.fleet.grounds import Grounds
from bench.journeys import Journey, bound_session, measure


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One after the other (milliseconds), then from sixteen connections. CPU is that of all replicas which a
    request goes through; the runner is the measuring process itself.
    """

    road: str
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    per_s: float


async def measure_calls(grounds: Grounds, *, count: int, seconds: float) -> list[Call]:
    """The environments of a session, as its runner lists them."""
    port = grounds.ports[0]
    runner = FakeRunner(port)
    await runner.start()
    try:
        session_id = await bound_session(port, await grounds.agent_id(), runner)
        path = f"/v1/sessions/{session_id}/resources/environments"
        rows = []
        for road, replica in grounds.roads():
            journey = Journey(name=road, method="GET", path=path)
            found = await measure(replica, journey, count=count, seconds=seconds)
            rows.append(
                Call(
                    road=road,
                    p50_ms=found.p50,
                    p99_ms=found.p99,
                    cpu_ms=found.cpu,
                    per_s=found.per_second,
                )
            )
        return rows
    finally:
        await runner.stop()

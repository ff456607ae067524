"""What a session does when it is told that its sub-agents have returned."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import Rig, running, settled
from tests.runner.stream import Stream

Json = Mapping[str, Any]


def returned(number: int) -> dict[str, Any]:
    resource = {"title": f"t{number}", "agent": "helper", "status": "completed", "result": f"result {number}"}
    return {
        "id": f"item_return{number}",
        "type": "resource_event",
        "event_type": "session.subagent.returned",
        "resource_id": "conv_child",
        "resource_type": "session",
        "resource": resource,
    }


@asynccontextmanager
async def parent(workspace: Path, *returns: int) -> AsyncIterator[tuple[Rig, Stream]]:
    """A session to whose sub-agents this has happened."""
    server = FakeServer()
    server.items = [returned(number) for number in returns]
    async with running(workspace, server=server) as rig:
        yield rig, server.subscribe()


async def wake(rig: Rig, stream: Stream, number: int) -> Sequence[Json]:
    """The turn that begins when a sub-agent has returned."""
    before = len(stream.events)
    text = (
        f"[System: sub-agent helper/t{number} finished (completed) - 1 result waiting in inbox. "
        "Call sys_read_inbox to collect.]"
    )
    answer = await rig.server.say(text, f"item_wake{number}", subagent_return_id=f"item_return{number}")
    assert answer == "accepted"
    await until(lambda: settled(stream, before))
    return stream.events[before:]


def types(events: Sequence[Json]) -> list[str]:
    return [event["type"] for event in events]


async def test_a_return_that_the_last_turn_has_read_costs_no_request(tmp_path: Path) -> None:
    async with parent(tmp_path, 1, 2) as (rig, stream):
        first = await wake(rig, stream, 1)
        second = await wake(rig, stream, 2)

    assert "result 2" in stream.outputs()[0]
    assert "response.output_text.delta" in types(first)
    assert types(second) == [
        "session.status",
        "response.in_progress",
        "response.completed",
        "session.status",
    ]
    assert second[-1]["status"] == "idle"


async def test_a_return_that_came_after_the_last_reading_is_read(tmp_path: Path) -> None:
    async with parent(tmp_path, 1) as (rig, stream):
        await wake(rig, stream, 1)
        rig.server.items.append(returned(2))
        await wake(rig, stream, 2)

    assert ["result 2" in output for output in stream.outputs()] == [False, True]


async def test_what_a_person_says_is_never_left_out(tmp_path: Path) -> None:
    async with parent(tmp_path, 1) as (rig, stream):
        await wake(rig, stream, 1)
        before = len(stream.events)
        await rig.turn("hello", stream)

    assert "response.output_text.delta" in types(stream.events[before:])

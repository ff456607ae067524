"""Interrupts: early, while text streams, while tools run; and what is left of the turn."""

import os
from pathlib import Path

import pytest

from omnigent.runner.history import CANCELLED_OUTPUT
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled

INTERRUPT = {"type": "interrupt"}


def posted(server: FakeServer) -> list[tuple[str, str]]:
    """The items that the runner stored, as (type, text or output)."""
    shown = []
    for body in server.posted:
        data = body["data"]
        assert body["type"] == "external_conversation_item"
        assert data["response_id"].startswith("cancel_")
        item = data["item_data"]
        text = item["content"][0]["text"] if data["item_type"] == "message" else item.get("output", "")
        shown.append((data["item_type"], text))
    return shown


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_streaming_text_is_cut_and_a_note_is_stored(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Count to 1000 slowly")
        await until(lambda: "3 " in stream.text())
        assert await rig.server.post(INTERRUPT) == (204, {})
        await until(lambda: settled(stream))
        await until(lambda: len(rig.server.posted) == 1)

    assert stream.types() == [
        "status running",
        "in_progress",
        "output_text.delta",
        "cancelled",
        "status idle",
    ]
    assert stream.of_type("response.cancelled")[0]["response"]["status"] == "cancelled"
    assert posted(rig.server)[0][1].startswith("[System: interrupted]")


async def test_an_interrupt_before_the_first_event_of_the_turn_works(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        content = [{"type": "input_text", "text": "Count to 1000 slowly"}]
        rig.app.sessions.open("conv_1").message({"type": "message", "content": content})
        rig.app.sessions.open("conv_1").interrupt()
        await until(lambda: settled(stream))
        await rig.turn("Count to 2", stream)

    assert stream.types()[:4] == ["status running", "in_progress", "cancelled", "status idle"]
    assert stream.text() == "1 2 \n"


async def test_running_tools_are_killed_with_all_their_processes(tmp_path: Path) -> None:
    command = "sleep 600 & echo $! > pids; echo $$ >> pids; wait"
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say(f"Run the shell command: {command}")
        pids = tmp_path / "pids"
        await until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        await rig.server.post(INTERRUPT)
        await until(lambda: settled(stream))
        await until(lambda: len(rig.server.posted) == 3)
        await until(lambda: not any(is_alive(int(pid)) for pid in pids.read_text().split()))

    assert stream.types()[-3:] == ["function_call in_progress", "cancelled", "status idle"]
    assert [kind for kind, _ in posted(rig.server)] == ["function_call", "function_call_output", "message"]
    assert posted(rig.server)[1][1] == CANCELLED_OUTPUT


async def test_a_buffered_message_still_runs_without_an_idle_between(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Count to 1000 slowly")
        await until(lambda: "2 " in stream.text())
        await rig.server.say("Count to 2")
        await rig.server.post(INTERRUPT)
        await until(lambda: settled(stream))

    assert stream.types() == [
        "status running",
        "in_progress",
        "output_text.delta",
        "cancelled",
        "status running",
        "in_progress",
        "output_text.delta",
        "completed",
        "status idle",
    ]
    assert stream.text().endswith("1 2 \n")


async def test_an_interrupt_without_a_turn_does_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 1", stream)
        assert await rig.server.post(INTERRUPT) == (204, {})
        await rig.turn("Count to 2", stream)

    assert "cancelled" not in stream.types()
    assert rig.server.posted == []


async def test_a_repeated_delivery_of_an_interrupt_does_not_end_the_next_turn(tmp_path: Path) -> None:
    interrupt = INTERRUPT | {"delivery_id": "d1"}
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Count to 1000 slowly")
        await rig.server.post(interrupt)
        await until(lambda: settled(stream))
        before = len(stream.events)
        await rig.server.say("Count to 20 slowly")
        await rig.server.post(interrupt)
        await until(lambda: settled(stream, before))

    assert stream.types()[-2:] == ["completed", "status idle"]


async def test_an_interrupt_ends_a_turn_that_waits_for_a_person(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Ask me before running: echo hi")
        await until(lambda: "elicitation_request" in stream.types())
        await rig.server.post(INTERRUPT)
        await until(lambda: settled(stream))

    assert stream.types()[-4:] == ["elicitation_request", "elicitation_resolved", "cancelled", "status idle"]


@pytest.mark.parametrize(
    "event_type", ["compact", "model_change", "effort_change", "interrupt", "stop_session"]
)
async def test_control_events_are_answered_204(tmp_path: Path, event_type: str) -> None:
    async with running(tmp_path) as rig:
        assert await rig.server.post({"type": event_type}) == (204, {})

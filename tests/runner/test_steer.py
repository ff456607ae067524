"""Messages that come while a turn runs."""

import asyncio
from pathlib import Path
from typing import Any

from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled


async def test_a_message_during_text_becomes_one_following_turn(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        assert await rig.server.say("Count to 30 slowly", "item_1") == "accepted"
        await until(lambda: "2 " in stream.text())
        assert await rig.server.say("Count to 2", "item_2") == "buffered"
        assert await rig.server.say("Count to 3", "item_3") == "buffered"
        await until(lambda: settled(stream))

    assert stream.types() == [
        "status running",
        "in_progress",
        "output_text.delta",
        "completed",
        "status running",
        "in_progress",
        "output_text.delta",
        "completed",
        "status idle",
    ]
    assert stream.text().endswith("30 \n1 2 \n1 2 3 \n")


async def test_a_message_during_a_tool_joins_the_same_response(tmp_path: Path) -> None:
    server = FakeServer()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(body: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await go_on.wait()
        return await server.allow(body)

    server.gate = hold
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Run the shell command: echo first", "item_1")
        await begun.wait()
        assert await rig.server.say("Count to 2", "item_2") == "buffered"
        go_on.set()
        await until(lambda: settled(stream))

    assert stream.types().count("in_progress") == 1
    assert stream.text().endswith("first\n1 2 \n")


async def test_a_message_with_other_settings_waits_for_its_own_turn(tmp_path: Path) -> None:
    server = FakeServer()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(body: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await go_on.wait()
        return await server.allow(body)

    server.gate = hold
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Run the shell command: echo first")
        await begun.wait()
        await rig.server.say("Count to 2", model_override="other")
        go_on.set()
        await until(lambda: settled(stream))

    completed = stream.of_type("response.completed")
    assert [event["response"]["usage"]["model"] for event in completed] == ["scripted", "other"]


async def test_a_repeated_message_is_not_run_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        answers = [await rig.server.say("Count to 2", "item_1") for _ in range(3)]
        await until(lambda: settled(stream))
        answers.append(await rig.server.say("Count to 2", "item_1"))

    assert answers == ["accepted", "duplicate", "duplicate", "duplicate"]
    assert stream.text() == "1 2 \n"


async def test_messages_without_an_id_are_never_repeats(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 2", stream)
        await rig.turn("Count to 2", stream)

    assert stream.text() == "1 2 \n1 2 \n"

"""A turn whose history is longer than the model's context window."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

from omnigent.runner.harnesses.base import (
    Finished,
    ModelError,
    ModelRequest,
    ModelSettings,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.rows import HarnessRow
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled
from tests.runner.stream import Stream

WINDOW: Final = 3_000
AGENT: Final = f"""
spec_version: 1
name: helper
executor: {{type: omnigent, config: {{harness: scripted}}, context_window: {WINDOW}}}
os_env: {{type: caller_process, sandbox: {{type: none}}}}
"""


class Strict:
    """A model that may refuse a request as too long, and that writes summaries."""

    def __init__(self, settings: ModelSettings) -> None:
        del settings

    async def sample(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        SEEN.append(request)
        text = str(request.items[-1])
        if "Summarise the conversation" in text:
            if request.model == "cannot-summarise":
                raise ModelError("provider_unavailable", "not now")
            yield TextDelta("They counted sheep.")
        elif request.model == "short" and len(SEEN) == 1:
            raise ModelError("context_length_exceeded", "too long")
        elif request.model == "works" and "function_call_output" not in text:
            yield ToolCall(call_id="c1", name="sys_os_shell", arguments='{"command": "true"}')
        else:
            yield TextDelta("done")
        yield Usage(input_tokens=sum(len(str(item)) for item in request.items) // 4, output_tokens=1)
        yield Finished("stop")

    async def close(self) -> None:
        """Nothing to release."""


SEEN: list[ModelRequest] = []
HARNESSES = {"scripted": HarnessRow(adapter=f"{__name__}:Strict", default_model="none")}


def stored(count: int, size: int = 400) -> list[dict[str, Any]]:
    """So many exchanges of a user and the assistant."""
    items: list[dict[str, Any]] = []
    for number in range(count):
        for role, kind in (("user", "input_text"), ("assistant", "output_text")):
            content = [{"type": kind, "text": f"sheep {number} " + "x" * size}]
            item = {"id": f"item_{role}_{number}", "type": "message", "role": role, "content": content}
            items.append(item | ({"user_authored": True} if role == "user" else {}))
    return items


async def turn(tmp_path: Path, model: str, items: list[dict[str, Any]]) -> tuple[Stream, FakeServer]:
    SEEN.clear()
    server = FakeServer()
    server.agent = AGENT
    server.items = items
    async with running(tmp_path, server=server, harnesses=HARNESSES) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("go on", model_override=model)
        await until(lambda: settled(stream))
    return stream, server


def compactions(server: FakeServer) -> list[dict[str, Any]]:
    return [event["data"] for event in server.posted if event["type"] == "compaction"]


async def test_a_history_that_fits_is_sent_as_it_is(tmp_path: Path) -> None:
    stream, server = await turn(tmp_path, "any", stored(2))

    assert len(SEEN) == 1
    assert len(SEEN[0].items) == 5
    assert compactions(server) == []
    assert stream.of_type("response.completed")


async def test_what_is_too_long_is_condensed_before_it_is_sent(tmp_path: Path) -> None:
    stream, server = await turn(tmp_path, "any", stored(30))

    (compaction,) = compactions(server)
    assert compaction["summary"] == "They counted sheep."
    kept = [item for item in server.items if item["id"] == compaction["last_item_id"]]
    assert kept
    sent = SEEN[-1].items
    assert "They counted sheep." in str(sent[0])
    assert "go on" in str(sent[-1])
    after = server.items[server.items.index(kept[0]) + 1 :]
    assert [item.get("id") for item in sent[1:-1]] == [item["id"] for item in after]
    assert [bool(item.get("current_turn")) for item in sent] == [False] * (len(sent) - 1) + [True]
    shown = [event["type"] for event in stream.events if "compaction" in event["type"]]
    assert shown == ["response.compaction.in_progress", "response.compaction.completed"]
    assert stream.of_type("response.compaction.completed")[0]["summary"] == "They counted sheep."
    assert stream.text() == "done"


async def test_outputs_are_left_out_before_anything_is_condensed(tmp_path: Path) -> None:
    items = stored(1)
    for number in range(8):
        call = {"call_id": f"c{number}", "name": "sys_os_shell", "arguments": "{}"}
        items.append({"id": f"fc_{number}", "type": "function_call", **call})
        output = {"call_id": f"c{number}", "output": "y" * (4_000 if number < 2 else 40)}
        items.append({"id": f"fco_{number}", "type": "function_call_output", **output})

    _, server = await turn(tmp_path, "any", items)

    assert compactions(server) == []
    assert str(SEEN[0].items).count("left out to save context") == 2


async def test_a_refusal_for_length_is_recovered_from_once(tmp_path: Path) -> None:
    stream, server = await turn(tmp_path, "short", stored(3))

    assert len(compactions(server)) == 1
    assert len(SEEN[-1].items) < len(SEEN[0].items)
    assert stream.text() == "done"
    assert not stream.of_type("response.failed")


async def test_without_a_summary_the_oldest_is_dropped(tmp_path: Path) -> None:
    stream, server = await turn(tmp_path, "cannot-summarise", stored(30))

    assert compactions(server) == []
    shown = [event["type"] for event in stream.events if "compaction" in event["type"]]
    assert shown == ["response.compaction.in_progress", "response.compaction.failed"]
    assert 1 < len(SEEN[-1].items) < 20
    assert "go on" in str(SEEN[-1].items[-1])
    assert stream.text() == "done"


async def test_a_turn_goes_on_with_its_calls_after_its_history_was_condensed(tmp_path: Path) -> None:
    stream, server = await turn(tmp_path, "works", stored(30))

    assert len(compactions(server)) == 1
    kinds = [item["type"] for item in SEEN[-1].items[-3:]]
    assert kinds == ["message", "function_call", "function_call_output"]
    assert stream.text() == "done"

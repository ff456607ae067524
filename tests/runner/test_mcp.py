"""MCP servers as processes: what they list, what calls answer, and what they ask."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.approvals import Answer
from omnigent.runner.cleantext import clean
from omnigent.runner.gate import OUTPUT_CAP, capped
from omnigent.runner.mcp.names import belongs, tool_name
from omnigent.runner.mcp.room import McpRoom
from omnigent.runner.tools.base import ToolError
from tests.runner.fake_server import until
from tests.runner.mcp_rig import raw, session, stdio

SECRET = "hunter2-hunter2"
SECONDS = 30.0


async def test_the_tools_of_a_server_are_listed_with_their_schemas(tmp_path: Path) -> None:
    async with session(tmp_path, stdio("calc")) as mine:
        listing = await mine.listing()

    schema = listing.tools["calc__add"].schema
    assert listing.faults == {}
    assert schema.description == "Add two numbers."
    assert schema.parameters["required"] == ["left", "right"]
    assert schema.parameters["properties"]["left"]["type"] == "integer"


async def test_an_allowlist_hides_the_other_tools(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(tools=("add", "missing"))) as mine:
        assert list((await mine.listing()).tools) == ["t__add"]


async def test_tools_are_listed_and_called_page_by_page_with_names_models_accept(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(script="raw.py", args=raw("plain"))) as mine:
        listing = await mine.listing()
        outputs = [await tool.run({}, mine.context) for tool in listing.tools.values()]

    plain, spaced, long = listing.tools
    assert (plain, spaced) == ("t__plain", "t__with_space_and_more")
    assert len(long) == 64
    assert outputs == ["plain", "with space/and:more", "n" * 100]


async def test_endless_pages_come_to_an_end(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(args=raw("endless pages"))) as mine:
        assert len((await mine.listing()).tools) == 50


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("git", "log", "git__log"),
        ("my.server", "a/b", "my_server__a_b"),
        ("s" * 80, "t", None),
    ],
    ids=["plain", "other characters", "long"],
)
def test_names_are_short_and_plain(server: str, tool: str, name: str | None) -> None:
    made = tool_name(server, tool)

    assert name is None or made == name
    assert len(made) <= 64
    assert belongs(made, server)
    assert not belongs(made, "other")
    assert made != tool_name(server, f"{tool}2")


# -- calls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "output"),
    [
        ("echo", {"text": "hé\n"}, "hé\n"),
        ("add", {"left": 2, "right": 3}, "5"),
        ("picture", {}, "[image: image/png, 104 bytes]"),
        ("binary", {}, "a\x00b"),
    ],
    ids=["text", "number", "image", "binary"],
)
async def test_a_call_answers_with_text(
    tmp_path: Path, tool: str, arguments: dict[str, Any], output: str
) -> None:
    async with session(tmp_path, stdio()) as mine:
        assert await mine.call(f"t__{tool}", **arguments) == output


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("fail", {}, "Error executing tool fail"),
        ("add", {"left": "two", "right": 3}, "left"),
        ("add", {}, "right"),
    ],
    ids=["an exception", "wrong type", "missing argument"],
)
async def test_a_failure_is_told_and_the_server_goes_on(
    tmp_path: Path, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with session(tmp_path, stdio()) as mine:
        with pytest.raises(ToolError, match=words):
            await mine.call(f"t__{tool}", **arguments)

        assert await mine.call("t__echo", text="still here") == "still here"


async def test_a_server_runs_in_the_workspace_with_its_own_variables_and_no_secrets(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "GREETING": "hi"}
    async with session(tmp_path, stdio(env={"OWN": "mine"}), environment=environment) as mine:
        values = [await mine.call("t__variable", name=name) for name in ("GREETING", "OWN", "OPENAI_API_KEY")]
        where = await mine.call("t__where")

    assert values == ["hi", "mine", "not set"]
    assert where.startswith(f"{tmp_path.resolve()} ")


async def test_a_result_that_is_none_is_told(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(args=raw("nonsense"))) as mine:
        with pytest.raises(ToolError, match="cannot be used"):
            await mine.call("t__plain")


async def test_a_flood_of_text_is_cut(tmp_path: Path) -> None:
    async with session(tmp_path, stdio()) as mine:
        output = capped(clean(await mine.call("t__flood", size=3_000_000)))

    assert len(output) == OUTPUT_CAP
    assert output.endswith("[output cut: 3000000 bytes in all]")


async def test_noise_on_both_outputs_is_left_out(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(args=raw("noise"))) as mine:
        assert await mine.call("t__plain") == "plain"


async def test_a_message_without_end_ends_the_server_and_not_the_runner(tmp_path: Path) -> None:
    async with session(tmp_path, stdio(args=raw("endless line"))) as mine:
        with pytest.raises(ToolError, match="a message of more than 16777216 bytes"):
            await mine.call("t__plain")


# -- questions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (Answer(action="accept", content={"colour": "blue"}), "accept blue"),
        (Answer(action="decline"), "decline"),
        (Answer(action="cancel"), "cancel"),
    ],
    ids=["accept", "decline", "cancel"],
)
async def test_a_question_is_answered(tmp_path: Path, answer: Answer, output: str) -> None:
    asked: list[Mapping[str, Any]] = []

    async def ask(forms: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Answer]:
        asked.extend(forms.values())
        return dict.fromkeys(forms, answer)

    async with session(tmp_path, stdio(timeout=20)) as mine:
        tool = (await mine.listing()).tools["t__ask"]
        assert await tool.run({}, replace(mine.context, ask=ask)) == output

    [form] = asked
    assert (form["mode"], form["message"]) == ("form", "Which colour?")
    assert list(form["requestedSchema"]["properties"]) == ["colour"]


async def test_the_time_of_a_call_stands_still_while_a_person_thinks(tmp_path: Path) -> None:
    seconds = 2.0

    async def ask(forms: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Answer]:
        asked = time.monotonic()
        await until(lambda: time.monotonic() - asked > 1.5 * seconds)
        return dict.fromkeys(forms, Answer(action="decline"))

    async with session(tmp_path, stdio(timeout=seconds)) as mine:
        tool = (await mine.listing()).tools["t__ask"]
        assert await tool.run({}, replace(mine.context, ask=ask)) == "decline"


async def test_nobody_is_asked_when_two_sessions_call_at_once(tmp_path: Path) -> None:
    """A server of the first generation does not say to which call its question belongs."""
    state = tmp_path / "state"
    async with session(tmp_path, stdio()) as one:
        other = replace(
            one.context, session_id="conv_2", rooms=type(one.context.rooms)(one.context.rooms.home)
        )
        hanging = asyncio.create_task(one.call("t__hang", file=str(state)))
        await until(state.exists, SECONDS)
        tool = (await other.rooms.of(McpRoom).listing(other)).tools["t__ask"]
        with pytest.raises(ToolError):
            await tool.run({}, other)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await other.rooms.close()

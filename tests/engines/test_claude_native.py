"""The `claude-native` harness with the real program in a terminal."""

import asyncio
import os
from collections.abc import Mapping

import pytest

from omnigent.runner.harnesses.claude_native.program import INSTALL, PROGRAM
from omnigent.runner.harnesses.programs import located
from tests.engines.native_conformance import NativeConformance
from tests.engines.native_rig import DEADLINE, Native, Talk
from tests.model_server import Call, Hold, ModelServer, Text, Tokens
from tests.runner.fake_server import until

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located(PROGRAM, os.environ) is None, reason=f"needs Claude Code: {INSTALL}"),
    pytest.mark.skipif(located("tmux", os.environ) is None, reason="needs tmux"),
    pytest.mark.timeout(180),
]


def environment(models: ModelServer) -> Mapping[str, str]:
    return {"ANTHROPIC_API_KEY": "sk-ant-nightingale-0123456789", "ANTHROPIC_BASE_URL": models.url}


def shell(command: str) -> Call:
    return Call("Bash", {"command": command, "description": "a test"}, "toolu_shell")


class TestClaudeNative(NativeConformance):
    """What it has in common with the others, and what is its own."""

    native = Native(
        harness="claude-native", environment=environment, shell=shell, tool="Bash", heard="messages"
    )

    async def test_usage_is_told_once_with_what_came_from_the_cache(self, talk: Talk) -> None:
        talk.models.script([Text("Hi."), Tokens(input_tokens=100, output_tokens=7, cache_read=40)])

        await talk.turn("Hello")

        [used] = talk.posted("external_session_usage")
        assert used["cumulative_cache_read_input_tokens"] == 40

    async def test_a_message_waits_for_what_a_person_types_while_it_works(self, talk: Talk) -> None:
        go_on = asyncio.Event()
        talk.models.script([Text("Wait. "), Hold(go_on), Text("Ready.")], [Text("And more.")])
        before = len(talk.stream.events)
        await talk.say("Begin")
        await talk.models.request(1)
        await until(lambda: talk.seat.reader.is_busy, DEADLINE)
        pane = talk.terminals.all()[0]
        await pane.paste("a draft")
        async with asyncio.timeout(DEADLINE):
            while "a draft" not in await pane.screen():  # noqa: ASYNC110 - the screen has no event
                await asyncio.sleep(0.05)
        assert await talk.say("Second thing") == "buffered"
        await until(lambda: "Second thing" in {each.text for each in talk.seat.memory.typed}, DEADLINE)
        go_on.set()
        await talk.settled(before)

        assert talk.said("assistant") == ["Wait. Ready.", "And more."]
        assert "draft" not in str([request.body["messages"] for request in talk.models.requests])
        assert talk.types().count("response.completed") == 1

    async def test_a_command_of_the_programs_own(self, talk: Talk) -> None:
        await talk.turn("/context")

        assert "Context Usage" in talk.said("assistant")[0]
        assert talk.statuses() == ["running", "idle"]

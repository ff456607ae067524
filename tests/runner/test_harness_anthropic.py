"""The `anthropic` harness against a scripted Messages server."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from omnigent.runner.harnesses.anthropic import Anthropic
from omnigent.runner.harnesses.base import Finished, ToolCall
from tests.model_server import BreakInside, Call, ModelServer, Stop, Text
from tests.runner.harness_conformance import HarnessConformance
from tests.runner.harness_rig import Subject, assistant, called, gave, user

CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def exchanges(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    blocks = [block for message in body["messages"] for block in message["content"]]
    ids = {"tool_use": ("call", "id"), "tool_result": ("result", "tool_use_id")}
    return [(ids[block["type"]][0], block[ids[block["type"]][1]]) for block in blocks if block["type"] in ids]


class TestAnthropic(HarnessConformance):
    subject = Subject(
        build=lambda settings, retry: Anthropic(settings, retry=retry),
        path="/v1/messages",
        base_path="",
        model="claude-opus-5",
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"),
        exchanges=exchanges,
        broken_kind="overloaded_error",
        wrong_shape=(
            b"event: content_block_delta\n"
            b'data: {"type": "content_block_delta", "index": 0, '
            b'"delta": {"type": "text_delta", "text": 5}}\n\n'
        ),
    )

    async def test_messages_alternate_and_the_prefix_is_cached(self, server: ModelServer) -> None:
        history = (
            user("List."),
            user("Now."),
            assistant("Looking."),
            called("call_1"),
            gave("call_1", "a.txt"),
            user("Thanks."),
        )

        await self.sample(server.url, self.request(*history))

        body = (await server.request()).body
        call = {"type": "tool_use", "id": "call_1", "name": "sys_os_shell", "input": {"command": "ls"}}
        assert body["messages"] == [
            {
                "role": "user",
                "content": [{"type": "text", "text": "List."}, {"type": "text", "text": "Now."}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Looking."}, call]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "a.txt"},
                    {"type": "text", "text": "Thanks.", **CACHED},
                ],
            },
        ]
        assert body["system"] == [{"type": "text", "text": "Be brief.", **CACHED}]
        assert "thinking" not in body
        assert "output_config" not in body

    async def test_a_conversation_begins_and_ends_with_the_user(self, server: ModelServer) -> None:
        await self.sample(server.url, self.request(assistant("I was asked to say hello.")))

        roles = [message["role"] for message in (await server.request()).body["messages"]]
        assert roles == ["user", "assistant", "user"]

    async def test_tools_of_the_history_are_declared(self, server: ModelServer) -> None:
        history = (user("List."), called("call_1"), gave("call_1", "a.txt"))

        await self.sample(server.url, self.request(*history, tools=()))

        assert [tool["name"] for tool in (await server.request()).body["tools"]] == ["sys_os_shell"]

    @pytest.mark.parametrize(
        ("model", "effort", "thinking", "output"),
        [
            ("claude-opus-5", "high", {"type": "adaptive", "display": "summarized"}, {"effort": "high"}),
            ("claude-opus-5", "minimal", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
            ("claude-opus-5", "ultra", {"type": "adaptive", "display": "summarized"}, {"effort": "max"}),
            ("claude-opus-5", "none", {"type": "disabled"}, None),
            ("claude-haiku-4-5", "low", {"type": "enabled", "budget_tokens": 4096}, None),
            ("claude-haiku-4-5", "xhigh", {"type": "enabled", "budget_tokens": 20000}, None),
        ],
    )
    async def test_the_effort_decides_the_thinking(
        self,
        server: ModelServer,
        model: str,
        effort: str,
        thinking: Mapping[str, Any],
        output: Mapping[str, Any] | None,
    ) -> None:
        await self.sample(server.url, self.request(model=model, reasoning_effort=effort))

        body = (await server.request()).body
        assert body["thinking"] == thinking
        assert body.get("output_config") == output
        assert body["max_tokens"] == 32_000

    async def test_a_budget_is_not_sent_inside_a_tool_loop(self, server: ModelServer) -> None:
        history = (user("List."), called("call_1"), gave("call_1", "a.txt"))

        await self.sample(
            server.url, self.request(*history, model="claude-haiku-4-5", reasoning_effort="high")
        )

        assert "thinking" not in (await server.request()).body

    async def test_a_call_cut_by_the_token_limit_is_dropped(self, server: ModelServer) -> None:
        server.script([Text("So: "), Call("sys_os_shell", '{"command": "rm -r'), Stop("length")])

        outcome = await self.sample(server.url)

        assert not any(isinstance(event, ToolCall) for event in outcome.events)
        assert outcome.events[-1] == Finished("length")

    async def test_a_badly_written_call_is_passed_on(self, server: ModelServer) -> None:
        server.script([Call("sys_os_shell", '{"command": oops}', "call_a")])

        outcome = await self.sample(server.url)

        assert [call.arguments for call in outcome.calls] == ['{"command": oops}']
        assert outcome.events[-1] == Finished("tool_calls")

    async def test_an_overload_inside_the_stream_is_repeated_before_any_output(
        self, server: ModelServer
    ) -> None:
        server.script([BreakInside("overloaded_error")], [Text("Back.")])

        outcome = await self.sample(server.url)

        assert outcome.retries[0].code == "provider_unavailable"
        assert outcome.text == "Back."

    async def test_a_picture_of_an_unknown_type_becomes_a_note(self, server: ModelServer) -> None:
        picture = {"type": "input_image", "image_url": "data:image/tiff;base64,aGVsbG8="}
        message = {"type": "message", "role": "user", "content": [picture]}

        await self.sample(server.url, self.request(message))

        assert "[an image of type image/tiff" in str((await server.request()).body)

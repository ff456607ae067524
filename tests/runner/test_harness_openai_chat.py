"""The `openai-chat` harness against a scripted Chat Completions server."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from omnigent.runner.harnesses.base import Finished, ReasoningDelta, ToolCall
from omnigent.runner.harnesses.openai_chat import OpenAIChat
from tests.model_server import Call, Garbage, ModelServer, Stop, Text
from tests.runner.harness_conformance import HarnessConformance
from tests.runner.harness_rig import Subject, assistant, called, gave, user


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def exchanges(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for message in body["messages"]:
        found += [("call", call["id"]) for call in message.get("tool_calls", ())]
        if message["role"] == "tool":
            found.append(("result", message["tool_call_id"]))
    return found


class TestOpenAIChat(HarnessConformance):
    subject = Subject(
        build=lambda settings, retry: OpenAIChat(settings, retry=retry),
        path="/v1/chat/completions",
        base_path="/v1",
        model="gpt-5.6-terra",
        keys=("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
        exchanges=exchanges,
        broken_kind="server_error",
        wrong_shape=b'data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\n',
    )

    async def test_messages_have_the_form_of_the_api(self, server: ModelServer) -> None:
        history = (
            user("List."),
            assistant("Looking."),
            called("call_1"),
            gave("call_1", "a.txt"),
            user("Thanks."),
        )

        await self.sample(server.url, self.request(*history, reasoning_effort="ultra", max_output_tokens=99))

        body = (await server.request()).body
        function = {"name": "sys_os_shell", "arguments": '{"command": "ls"}'}
        assert body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "List."},
            {
                "role": "assistant",
                "content": "Looking.",
                "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"},
            {"role": "user", "content": "Thanks."},
        ]
        assert body["stream_options"] == {"include_usage": True}
        assert body["reasoning_effort"] == "max"
        assert body["max_completion_tokens"] == 99

    async def test_extra_keys_reach_the_request(self, server: ModelServer) -> None:
        await self.sample(server.url, extra={"service_tier": "flex"})

        assert (await server.request()).body["service_tier"] == "flex"

    async def test_calls_that_share_an_index_are_told_apart_by_id(self, server: ModelServer) -> None:
        chunk = (
            b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "%s", '
            b'"function": {"name": "sys_os_shell", "arguments": "{}"}}]}}]}\n\n'
        )
        server.script([Garbage(chunk % b"a"), Garbage(chunk % b"b")])

        outcome = await self.sample(server.url)

        assert [call.call_id for call in outcome.calls] == ["a", "b"]
        assert outcome.events[-1] == Finished("tool_calls")

    async def test_an_id_that_the_conversation_already_has_is_replaced(self, server: ModelServer) -> None:
        server.script([Call("sys_os_shell", {}, "call_0")])

        outcome = await self.sample(server.url, self.request(called("call_0"), gave("call_0", "x")))

        assert outcome.calls[0].call_id.startswith("call_")
        assert outcome.calls[0].call_id != "call_0"

    async def test_a_call_cut_by_the_token_limit_is_dropped(self, server: ModelServer) -> None:
        server.script([Text("So: "), Call("sys_os_shell", '{"command": "rm -r'), Stop("length")])

        outcome = await self.sample(server.url)

        assert not any(isinstance(event, ToolCall) for event in outcome.events)
        assert outcome.events[-1] == Finished("length")

    async def test_reasoning_in_the_other_spelling_is_read(self, server: ModelServer) -> None:
        chunk = b'data: {"choices": [{"index": 0, "delta": {"reasoning": "Hm."}}]}\n\n'
        server.script([Garbage(chunk), Text("Yes.")])

        outcome = await self.sample(server.url)

        assert ReasoningDelta("Hm.") in outcome.events

"""The `openai-responses` harness against a scripted Responses server."""

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from omnigent.runner.harnesses.base import ReasoningDelta, TextDelta
from omnigent.runner.harnesses.openai_responses import OpenAIResponses
from tests.model_server import Fail, Garbage, ModelServer, Reasoning, Text
from tests.runner.harness_conformance import HarnessConformance
from tests.runner.harness_rig import Subject, assistant, called, gave, user


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def exchanges(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    kinds = {"function_call": "call", "function_call_output": "result"}
    return [(kinds[item["type"]], item["call_id"]) for item in body["input"] if item["type"] in kinds]


class TestOpenAIResponses(HarnessConformance):
    subject = Subject(
        build=lambda settings, retry: OpenAIResponses(settings, retry=retry),
        path="/v1/responses",
        base_path="/v1",
        model="gpt-5.6-terra",
        keys=("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
        exchanges=exchanges,
        broken_kind="server_error",
        wrong_shape=b'data: {"type": "response.output_text.delta", "content_index": 0, "delta": 5}\n\n',
    )

    async def test_input_has_the_form_of_the_api(self, server: ModelServer) -> None:
        pdf = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
        note = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}
        history = (
            {**user("Read."), "content": [{"type": "input_text", "text": "Read."}, pdf, note]},
            assistant("Looking."),
            called("call_1"),
            gave("call_1", "a.txt"),
        )

        await self.sample(server.url, self.request(*history, reasoning_effort="ultra", max_output_tokens=99))

        body = (await server.request()).body
        read = [
            {"type": "input_text", "text": "Read."},
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,JVBERg==",
            },
            {"type": "input_text", "text": "[the file a.txt]\nhello"},
        ]
        call = {
            "type": "function_call",
            "call_id": "call_1",
            "name": "sys_os_shell",
            "arguments": '{"command": "ls"}',
        }
        assert body["input"] == [
            {"type": "message", "role": "user", "content": read},
            {"type": "message", "role": "assistant", "content": "Looking."},
            call,
            {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
        ]
        assert body["instructions"] == "Be brief."
        assert body["store"] is False
        assert body["reasoning"] == {"effort": "max", "summary": "auto"}
        assert body["max_output_tokens"] == 99

    async def test_reasoning_is_a_summary(self, server: ModelServer) -> None:
        server.script([Reasoning("Hm. "), Text("Yes.")])

        outcome = await self.sample(server.url)

        assert ReasoningDelta("Hm. ", summary=True) in outcome.events

    async def test_two_messages_in_one_response_are_kept_apart(self, server: ModelServer) -> None:
        server.script([Text("One."), Reasoning("Hm."), Text("Two.")])

        outcome = await self.sample(server.url)

        texts = [event.text for event in outcome.events if isinstance(event, TextDelta)]
        assert texts == ["One.", "\n\n", "Two."]

    @pytest.mark.parametrize(
        ("error", "code", "requests"),
        [
            (b'{"code": "server_error", "message": "it broke"}', "provider_unavailable", 2),
            (b'{"code": "invalid_prompt", "message": "it broke"}', "bad_request", 1),
            (b'{"code": "context_length_exceeded", "message": "it broke"}', "context_length_exceeded", 1),
        ],
        ids=["server", "prompt", "context"],
    )
    async def test_a_failed_response_is_reported(
        self, server: ModelServer, error: bytes, code: str, requests: int
    ) -> None:
        failed = b'data: {"type": "response.failed", "response": {"id": "resp_1", "error": %s}}\n\n' % error
        server.script(*[[Garbage(failed)]] * 2)

        outcome = await self.sample(server.url, max_retries=1)

        assert outcome.code == code
        assert len(server.requests) == requests

    async def test_an_empty_account_is_not_asked_again(self, server: ModelServer) -> None:
        server.script([Fail(429, "insufficient_quota", code="insufficient_quota")])

        outcome = await self.sample(server.url)

        assert outcome.code == "quota_exceeded"
        assert len(server.requests) == 1


def test_the_library_is_loaded_by_its_own_harness_only() -> None:
    shared = ("base", "retry", "conversation", "failures", "fields")
    imports = "; ".join(f"import omnigent.runner.harnesses.{name}" for name in shared)
    program = f"{imports}; import sys; sys.exit(bool({{'openai', 'anthropic', 'httpx2'}} & set(sys.modules)))"

    finished = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert finished.returncode == 0

"""The scripted server against the vendors' own strict models and accumulators."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import RawMessageStreamEvent
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.model_server import Call, Fail, ModelServer, Reasoning, Reply, Text, Tokens

REPLY: Reply = [
    Reasoning("First think. "),
    Text("Then speak."),
    Call("first", {"a": 1}, "call_a"),
    Call("second", {"b": "two"}, "call_b"),
    Tokens(input_tokens=30, output_tokens=9, reasoning_tokens=3, cache_read=20, cache_written=5),
]


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        server.script(REPLY)
        yield server


@pytest.mark.parametrize(
    ("path", "adapter"),
    [
        ("/v1/responses", TypeAdapter(ResponseStreamEvent)),
        ("/v1/chat/completions", TypeAdapter(ChatCompletionChunk)),
        ("/v1/messages", TypeAdapter(RawMessageStreamEvent)),
    ],
    ids=["responses", "chat", "messages"],
)
async def test_every_event_fits_the_vendors_own_models(
    server: ModelServer, path: str, adapter: TypeAdapter[object]
) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.post(server.url + path, json={"model": "m"})

    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    for event in events:
        if event != {"type": "ping"}:
            adapter.validate_python(event)
    assert len(events) > 8


async def test_openais_client_assembles_a_response(server: ModelServer) -> None:
    async with (
        AsyncOpenAI(api_key="key", base_url=f"{server.url}/v1", max_retries=0) as client,
        client.responses.stream(model="m", input="Hello") as stream,
    ):
        response = await stream.get_final_response()

    assert response.output_text == "Then speak."
    assert [item.type for item in response.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert response.usage is not None
    assert response.usage.total_tokens == 39


async def test_openais_client_assembles_a_completion(server: ModelServer) -> None:
    async with (
        AsyncOpenAI(api_key="key", base_url=f"{server.url}/v1", max_retries=0) as client,
        client.chat.completions.stream(
            model="m",
            messages=[{"role": "user", "content": "Hello"}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        completion = await stream.get_final_completion()

    message = completion.choices[0].message
    assert message.content == "Then speak."
    assert [call.id for call in message.tool_calls or ()] == ["call_a", "call_b"]
    assert completion.usage is not None
    assert completion.usage.total_tokens == 39


async def test_anthropics_client_assembles_a_message(server: ModelServer) -> None:
    async with (
        AsyncAnthropic(api_key="key", base_url=server.url, max_retries=0) as client,
        client.messages.stream(
            model="m", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
        ) as stream,
    ):
        message = await stream.get_final_message()

    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.stop_reason == "tool_use"
    assert message.usage.input_tokens == 5
    assert message.usage.cache_read_input_tokens == 20


async def test_the_default_script_calls_a_shell_and_reports_its_output() -> None:
    tool = {"type": "function", "name": "sys_os_shell", "parameters": {"type": "object"}}
    asked = {"role": "user", "content": [{"type": "input_text", "text": "Please\nrun: echo hi"}]}

    async with ModelServer() as server, httpx2.AsyncClient() as client:
        body = {"model": "m", "input": [asked], "tools": [tool]}
        first = await client.post(f"{server.url}/v1/responses", json=body)
        given = {"type": "function_call_output", "call_id": "call_1", "output": "hi\n"}
        second = await client.post(f"{server.url}/v1/responses", json={**body, "input": [asked, given]})

    assert '"arguments":"{\\"command\\": \\"echo hi\\"}"' in first.text
    assert '"text":"The command printed:\\nhi\\n"' in second.text


async def test_a_failure_has_the_scripted_status_and_headers() -> None:
    async with ModelServer() as server, httpx2.AsyncClient() as client:
        server.script([Fail(429, "rate_limit_error", headers={"retry-after": "3"})])
        answer = await client.post(f"{server.url}/v1/messages", json={"model": "m"})

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3"
    assert answer.json()["error"]["type"] == "rate_limit_error"

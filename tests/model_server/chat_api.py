"""OpenAI's Chat Completions API: `POST /v1/chat/completions`."""

import uuid
from collections.abc import Mapping
from typing import Any

from tests.model_server.prompt import Prompt, plain_text, prompt_of
from tests.model_server.steps import Call, Fail, Reason, Tokens, fragments
from tests.model_server.vendor import event


class ChatAnswer:
    """Writes chunks; the count of tokens comes after the finish reason, when it was asked for."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._calls = 0

    @staticmethod
    def prompt(body: Mapping[str, Any]) -> Prompt:
        said = ((message["role"], plain_text(message.get("content"))) for message in body.get("messages", ()))
        tools = (str(tool.get("function", {}).get("name")) for tool in body.get("tools", ()))
        return prompt_of(body, said, tools)

    @staticmethod
    def failure(step: Fail) -> Any:
        return {"error": {"message": step.message, "type": step.kind, "param": None, "code": step.code}}

    def begin(self, tokens: Tokens) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, word: str) -> bytes:
        return self._chunk({"content": word})

    def reasoning(self, word: str) -> bytes:
        return self._chunk({"reasoning_content": word})

    def call(self, call: Call) -> bytes:
        index, self._calls = self._calls, self._calls + 1
        call_id = call.call_id or f"call_{uuid.uuid4().hex[:24]}"
        function = {"name": call.name, "arguments": ""}
        first = {"index": index, "id": call_id, "type": "function", "function": function}
        data = self._chunk({"tool_calls": [first]})
        for fragment in fragments(call.arguments_text):
            data += self._chunk({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})
        return data

    def broken(self, kind: str, message: str) -> bytes:
        return event({"error": {"message": message, "type": kind, "param": None, "code": None}})

    def finish(self, tokens: Tokens, reason: Reason) -> bytes:
        word = "tool_calls" if reason == "stop" and self._calls else reason
        data = self._chunk({}, finish_reason=word)
        if self._body.get("stream_options", {}).get("include_usage"):
            data += event({**self._envelope(), "choices": [], "usage": _usage(tokens)})
        return data + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event({**self._envelope(), "choices": [choice], "usage": None})

    def _envelope(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": self._body.get("model", ""),
            "service_tier": "default",
            "system_fingerprint": None,
        }


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_written,
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
    }

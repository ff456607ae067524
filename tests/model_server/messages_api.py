"""Anthropic's Messages API: `POST /v1/messages`."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from tests.model_server.prompt import Prompt, plain_text, prompt_of
from tests.model_server.steps import Call, Fail, Reason, Tokens, fragments
from tests.model_server.vendor import event

_REASONS = {"length": "max_tokens", "content_filter": "refusal"}


class MessagesAnswer:
    """Keeps the open content block, which ends when a step of another kind follows."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._index = 0
        self._open = ""
        self._called = False

    @staticmethod
    def prompt(body: Mapping[str, Any]) -> Prompt:
        return prompt_of(body, _said(body), (str(tool.get("name")) for tool in body.get("tools", ())))

    @staticmethod
    def failure(step: Fail) -> Any:
        error = {"type": step.kind, "message": step.message}
        return {"type": "error", "error": error, "request_id": f"req_{uuid.uuid4().hex}"}

    def begin(self, tokens: Tokens) -> bytes:
        message = {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": self._body.get("model", ""),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**_input_counts(tokens), "output_tokens": 1},
        }
        return _event("message_start", message=message) + _event("ping")

    def text(self, word: str) -> bytes:
        opening = self._switch("text", {"type": "text", "text": ""})
        return opening + self._delta({"type": "text_delta", "text": word})

    def reasoning(self, word: str) -> bytes:
        opening = self._switch("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        return opening + self._delta({"type": "thinking_delta", "thinking": word})

    def call(self, call: Call) -> bytes:
        self._called = True
        call_id = call.call_id or f"toolu_{uuid.uuid4().hex[:24]}"
        block = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}}
        data = self._close() + self._switch("tool_use", block)
        data += self._delta({"type": "input_json_delta", "partial_json": ""})
        for fragment in fragments(call.arguments_text):
            data += self._delta({"type": "input_json_delta", "partial_json": fragment})
        return data + self._close()

    def broken(self, kind: str, message: str) -> bytes:
        return _event("error", error={"type": kind, "message": message})

    def finish(self, tokens: Tokens, reason: Reason) -> bytes:
        stop_reason = _REASONS.get(reason) or ("tool_use" if self._called else "end_turn")
        usage: dict[str, Any] = {**_input_counts(tokens), "output_tokens": tokens.output_tokens}
        usage["output_tokens_details"] = {"thinking_tokens": tokens.reasoning_tokens}
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        return self._close() + _event("message_delta", delta=delta, usage=usage) + _event("message_stop")

    def _switch(self, kind: str, block: dict[str, Any]) -> bytes:
        if self._open == kind:
            return b""
        data = self._close()
        self._open = kind
        return data + _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> bytes:
        if not self._open:
            return b""
        data = b""
        if self._open == "thinking":
            data = self._delta({"type": "signature_delta", "signature": "c2lnbmVk"})
        data += _event("content_block_stop", index=self._index)
        self._open = ""
        self._index += 1
        return data


def _event(kind: str, **values: Any) -> bytes:
    return event({"type": kind, **values}, name=kind)


def _input_counts(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input_tokens - tokens.cache_read - tokens.cache_written,
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cache_read,
    }


def _said(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for message in body.get("messages", ()):
        content = message.get("content")
        results = (
            [block for block in content if block["type"] == "tool_result"]
            if isinstance(content, list)
            else []
        )
        if text := plain_text(content):
            yield message["role"], text
        for block in results:
            yield "tool", plain_text(block.get("content"))

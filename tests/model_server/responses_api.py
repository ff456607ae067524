"""OpenAI's Responses API: `POST /v1/responses`."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from tests.model_server.prompt import Prompt, plain_text, prompt_of
from tests.model_server.steps import Call, Fail, Reason, Tokens, fragments
from tests.model_server.vendor import event

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesAnswer:
    """Keeps the open output item, which ends when a step of another kind follows."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._id = f"resp_{uuid.uuid4().hex}"
        self._number = -1
        self._output: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._said = ""

    @staticmethod
    def prompt(body: Mapping[str, Any]) -> Prompt:
        said = body.get("input", "")
        form = (body.get("text") or {}).get("format") or {}
        wants_form = form.get("type") == "json_schema"
        return prompt_of(body, _said(said), [*_names(body), *_added(said)], wants_form=wants_form)

    @staticmethod
    def failure(step: Fail) -> Any:
        return {"error": {"message": step.message, "type": step.kind, "param": None, "code": step.code}}

    def begin(self, tokens: Tokens) -> bytes:
        response = self._response("in_progress", None)
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def text(self, word: str) -> bytes:
        opening = b"" if self._is_open("message") else self._close() + self._open_message()
        self._said += word
        return opening + self._event(
            "response.output_text.delta", **self._part(), content_index=0, delta=word, logprobs=[]
        )

    def reasoning(self, word: str) -> bytes:
        opening = b"" if self._is_open("reasoning") else self._close() + self._open_reasoning()
        self._said += word
        return opening + self._event(
            "response.reasoning_summary_text.delta", **self._part(), summary_index=0, delta=word
        )

    def call(self, call: Call) -> bytes:
        call_id = call.call_id or f"call_{uuid.uuid4().hex[:24]}"
        if call.is_custom:
            text = call.arguments_text
            custom = {"type": "custom_tool_call", "call_id": call_id, "name": call.name, "input": ""}
            data = self._close() + self._add(custom)
            data += self._event("response.custom_tool_call_input.delta", **self._part(), delta=text)
            data += self._event("response.custom_tool_call_input.done", **self._part(), input=text)
            return data + self._done(input=text)
        item = {"type": "function_call", "call_id": call_id, "name": call.name, "arguments": ""}
        data = self._close() + self._add(item)
        for fragment in fragments(call.arguments_text):
            data += self._event("response.function_call_arguments.delta", **self._part(), delta=fragment)
        data += self._event(
            "response.function_call_arguments.done",
            **self._part(),
            name=call.name,
            arguments=call.arguments_text,
        )
        return data + self._done(arguments=call.arguments_text)

    def broken(self, kind: str, message: str) -> bytes:
        return self._event("error", code=kind, message=message, param=None)

    def finish(self, tokens: Tokens, reason: Reason) -> bytes:
        data = self._close()
        if reason == "stop":
            return data + self._event("response.completed", response=self._response("completed", tokens))
        response = self._response("incomplete", tokens)
        response["incomplete_details"] = {"reason": _INCOMPLETE[reason]}
        return data + self._event("response.incomplete", response=response)

    def _is_open(self, kind: str) -> bool:
        return self._open is not None and self._open["type"] == kind

    def _open_message(self) -> bytes:
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return self._add({"type": "message", "role": "assistant", "content": []}) + self._event(
            "response.content_part.added", **self._part(), content_index=0, part=part
        )

    def _open_reasoning(self) -> bytes:
        part = {"type": "summary_text", "text": ""}
        return self._add({"type": "reasoning", "summary": []}) + self._event(
            "response.reasoning_summary_part.added", **self._part(), summary_index=0, part=part
        )

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        said, self._said = self._said, ""
        if self._is_open("message"):
            part = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
            place = {**self._part(), "content_index": 0}
            return (
                self._event("response.output_text.done", **place, text=said, logprobs=[])
                + self._event("response.content_part.done", **place, part=part)
                + self._done(content=[part])
            )
        summary = {"type": "summary_text", "text": said}
        place = {**self._part(), "summary_index": 0}
        return (
            self._event("response.reasoning_summary_text.done", **place, text=said)
            + self._event("response.reasoning_summary_part.done", **place, part=summary)
            + self._done(summary=[summary])
        )

    def _add(self, item: dict[str, Any]) -> bytes:
        self._open = {"id": f"{item['type'][:2]}_{uuid.uuid4().hex}", "status": "in_progress", **item}
        return self._event("response.output_item.added", output_index=len(self._output), item=self._open)

    def _done(self, **values: Any) -> bytes:
        item = {**(self._open or {}), **values, "status": "completed"}
        data = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._open = None
        return data

    def _part(self) -> dict[str, Any]:
        return {"item_id": (self._open or {}).get("id"), "output_index": len(self._output)}

    def _event(self, kind: str, **values: Any) -> bytes:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number, **values}, name=kind)

    def _response(self, status: str, tokens: Tokens | None) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "model": self._body.get("model", ""),
            "output": list(self._output),
            "usage": None if tokens is None else _usage(tokens),
            "error": None,
            "incomplete_details": None,
            "instructions": self._body.get("instructions"),
            "metadata": {},
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": self._body.get("tools", []),
            "top_p": 1.0,
        }


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input_tokens,
        "input_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_written,
        },
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
    }


def _names(holder: Mapping[str, Any]) -> Iterator[str]:
    """The names of the tools that it has, without those of the groups that they may be in."""
    for tool in holder.get("tools") or ():
        yield from _names(tool) if "tools" in tool else (str(tool.get("name")),)


def _added(source: object) -> Iterator[str]:
    """The names of tools that came in the course of the conversation."""
    for item in source if isinstance(source, list) else ():
        if item.get("type") == "additional_tools":
            yield from _names(item)


def _said(source: object) -> Iterator[tuple[str, str]]:
    if isinstance(source, str):
        yield "user", source
        return
    for item in source if isinstance(source, list) else ():
        if item.get("type") in {"function_call_output", "custom_tool_call_output"}:
            yield "tool", plain_text(item.get("output"))
        elif "role" in item:
            yield item["role"], plain_text(item.get("content"))

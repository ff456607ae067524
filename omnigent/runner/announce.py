"""The events of one response, in the shapes and the order that the server expects."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from omnigent.ids import RESPONSE, mint
from omnigent.protocol.events import (
    ElicitationRequest,
    OutputItemDone,
    OutputTextDelta,
    OutputTokensDetails,
    ReasoningStarted,
    ReasoningSummaryTextDelta,
    ReasoningTextDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseFailed,
    ResponseInProgress,
    ResponseRetry,
    ResponseStatus,
    ResponseUsage,
    response_object,
)
from omnigent.runner.cleantext import clean
from omnigent.runner.harnesses.base import ApprovalRequest, ReasoningDelta, Retry, ToolCall, Usage
from omnigent.runner.uplink import Uplink

PREVIEW_CHARS = 1024


def error_object(code: str, message: str, *, undelivered: bool | None = None) -> dict[str, Any]:
    """The error of a response or a status, with all its members."""
    return {
        "code": code,
        "message": clean(message),
        "title": None,
        "cause": None,
        "remediation": None,
        "undelivered": undelivered,
    }


class Announcer:
    """Numbers and publishes the events of one response; exactly one of its ends comes last."""

    def __init__(self, uplink: Uplink, *, session_id: str, agent: str) -> None:
        self._uplink = uplink
        self._session_id = session_id
        self._agent = agent
        self._sequence = 0
        self._created_at = int(time.time())
        self._is_started = False
        self._is_thinking = False
        self.response_id = mint(RESPONSE)

    @property
    def published(self) -> int:
        """How many events it has told."""
        return self._sequence

    def named(self, agent: str) -> None:
        """The agent's name, as soon as its specification is known."""
        self._agent = agent

    def start(self) -> None:
        """Open the response; nothing happens when it is open."""
        if not self._is_started:
            self._is_started = True
            self._uplink.put(
                ResponseInProgress(sequence_number=self._next(), response=self._response("in_progress"))
            )

    async def text(self, delta: str) -> None:
        self._is_thinking = False
        await self._uplink.publish(OutputTextDelta(sequence_number=self._next(), delta=delta))

    async def reasoning(self, delta: ReasoningDelta) -> None:
        if not self._is_thinking:
            self._is_thinking = True
            await self._uplink.publish(ReasoningStarted(sequence_number=self._next()))
        kind = ReasoningSummaryTextDelta if delta.summary else ReasoningTextDelta
        await self._uplink.publish(kind(sequence_number=self._next(), delta=clean(delta.text)))

    async def retry(self, retry: Retry) -> None:
        await self._uplink.publish(
            ResponseRetry(
                sequence_number=self._next(),
                source="llm",
                error={"code": retry.code, "message": clean(retry.message)},
                attempt=retry.attempt,
                max_attempts=retry.max_attempts,
                delay_seconds=retry.delay_seconds,
            )
        )

    async def call(self, call: ToolCall, status: str) -> None:
        """A call that has begun (`in_progress`) or waits for the client (`action_required`)."""
        await self._uplink.publish(self._call_event(call, status))

    async def room(self) -> None:
        """Wait until there is room for more events."""
        await self._uplink.room()

    def finished(self, call: ToolCall, output: str) -> None:
        """A completed call with its output."""
        self._uplink.put(self._call_event(call, "completed"))
        item = self._item("fco", "function_call_output", call.call_id, "completed")
        item |= {"output": output, "arguments": call.arguments}
        self._uplink.put(OutputItemDone(sequence_number=self._next(), item=item))

    async def approval_request(self, request: ApprovalRequest) -> None:
        params: dict[str, Any] = {
            "mode": "url",
            "message": clean(request.message),
            "requestedSchema": {},
            "url": f"/approve/{self._session_id}/{request.elicitation_id}",
            "phase": "tool_call",
            "policy_name": None,
            "content_preview": clean(request.preview)[:PREVIEW_CHARS],
            "target_session_id": None,
        }
        await self._uplink.publish(
            ElicitationRequest(
                sequence_number=self._next(), elicitation_id=request.elicitation_id, params=params
            )
        )

    def completed(self, usage: Usage) -> None:
        shown = ResponseUsage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
            total_tokens=usage.input_tokens + usage.output_tokens,
            context_tokens=usage.context_tokens,
            cache_read_input_tokens=usage.cache_read_input_tokens,
            cache_creation_input_tokens=usage.cache_creation_input_tokens,
            model=usage.model or None,
        )
        response = self._response("completed", usage=shown)
        self._uplink.put(ResponseCompleted(sequence_number=self._next(), response=response))

    def failed(self, error: Mapping[str, Any], source: str) -> None:
        self.start()
        response = self._response("failed", error=error)
        self._uplink.put(ResponseFailed(sequence_number=self._next(), source=source, response=response))

    def cancelled(self) -> None:
        self.start()
        self._uplink.put(
            ResponseCancelled(sequence_number=self._next(), response=self._response("cancelled"))
        )

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _response(
        self,
        status: ResponseStatus,
        *,
        usage: ResponseUsage | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return response_object(
            id=self.response_id,
            status=status,
            model=self._agent,
            created_at=self._created_at,
            completed_at=None if status == "in_progress" else int(time.time()),
            usage=usage,
            error=error,
        )

    def _item(self, prefix: str, kind: str, call_id: str, status: str) -> dict[str, Any]:
        return {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "response_id": self.response_id,
            "type": kind,
            "status": status,
            "created_at": int(time.time()),
            "call_id": call_id,
            "model": self._agent,
        }

    def _call_event(self, call: ToolCall, status: str) -> OutputItemDone:
        self._is_thinking = False
        item = self._item("fc", "function_call", call.call_id, status)
        item |= {"name": call.name, "arguments": call.arguments, "agent": self._agent}
        return OutputItemDone(sequence_number=self._next(), item=item)

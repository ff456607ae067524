"""What the server's policies are asked before and after a model request, and what their silence means."""

import asyncio
import logging
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from omnigent.protocol.codec import FrameError, decode
from omnigent.runner.api import HUMAN_SECONDS, ServerApi, ServerRefused, ServerUnreachable
from omnigent.runner.harnesses.base import ModelRequest, ToolCall, Usage

log = logging.getLogger(__name__)

MACHINE_SECONDS: Final = 120.0
# A person may be asked in these phases, so that the answer may take as long as people take.
_HUMAN: Final = frozenset({"PHASE_REQUEST", "PHASE_TOOL_CALL", "PHASE_LLM_REQUEST"})
# These pass when the server cannot be asked; what acts on the world or starts a turn does not.
_OPEN: Final = frozenset({"PHASE_LLM_REQUEST", "PHASE_LLM_RESPONSE", "PHASE_TOOL_RESULT"})
_ALLOWING: Final = frozenset({"POLICY_ACTION_ALLOW", "POLICY_ACTION_UNSPECIFIED"})
_PREVIEW: Final = 200
_Json = Mapping[str, Any]
_TEXT_PREVIEW: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the policies said of one event; only a refusal has a reason."""

    is_allowed: bool
    reason: str = ""

    @property
    def refusal(self) -> str:
        """The refusal in the words that people and models read."""
        return f"Denied by policy: {self.reason or 'no reason given'}"


class PolicyGate:
    """Asks about the events of one session."""

    def __init__(self, api: ServerApi, *, session_id: str, machine_seconds: float = MACHINE_SECONDS) -> None:
        self._api = api
        self._session_id = session_id
        self._machine_seconds = machine_seconds

    async def ask(self, event: Mapping[str, Any]) -> Verdict:
        """The verdict. A server that cannot be asked gives the verdict of the phase's fail mode.

        A question that the server may have shown to a person is asked again under the same id until it is
        answered, however often the server goes away meanwhile; cancelling ends it.
        """
        phase = str(event["type"])
        try:
            if phase in _HUMAN:
                elicitation_id = f"elicit_evaluate_{secrets.token_hex(16)}"
                body = {"event": event, "_omnigent_elicitation_id": elicitation_id}
                return _read(await self._answer(body, HUMAN_SECONDS, persistent=True))
            async with asyncio.timeout(self._machine_seconds):
                return _read(await self._answer({"event": event}, self._machine_seconds, persistent=False))
        except (ServerRefused, ServerUnreachable, TimeoutError) as exc:
            log.warning("policies not asked", extra={"phase": phase, "error": str(exc) or "timed out"})
            words = f"the policies could not be asked ({exc or 'timed out'})"
            return Verdict(is_allowed=phase in _OPEN, reason=words)

    async def _answer(self, body: _Json, seconds: float, *, persistent: bool) -> _Json:
        """With `persistent` there is no end to repeating once the server may have taken the question up."""
        patience = self._api.patience
        deadline = patience.now() + patience.seconds
        delay = patience.start
        is_held = False
        while True:
            try:
                return await self._api.evaluate(self._session_id, body, seconds=seconds)
            except ServerUnreachable as exc:
                is_held = is_held or (persistent and exc.taken)
                if not is_held and patience.now() + delay >= deadline:
                    raise
            except ServerRefused as exc:
                if not is_held:
                    raise
                # Somebody may just have been asked: what cannot be answered any more is not allowed.
                return {"result": "POLICY_ACTION_DENY", "reason": f"the question was lost ({exc})"}
            await patience.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, patience.cap)


def _read(answer: _Json) -> Verdict:
    """The verdict in an answer of the server; one that nobody can act on here is a refusal."""
    result = str(answer.get("result"))
    if result in _ALLOWING:
        return Verdict(is_allowed=True)
    reason = str(answer.get("reason") or "")
    if result == "POLICY_ACTION_ASK":
        reason = f"{reason or 'approval required'} (nobody can be asked here)"
    elif result != "POLICY_ACTION_DENY":
        reason = f"the verdict {result} is unknown"
    return Verdict(is_allowed=False, reason=reason)


def llm_request_event(request: ModelRequest, harness: str) -> dict[str, Any]:
    """The event of the phase before a model request."""
    return {
        "type": "PHASE_LLM_REQUEST",
        "data": {
            "model": request.model,
            "messages_count": len(request.items),
            "tools_count": len(request.tools),
            "system_prompt_preview": request.instructions[:_PREVIEW],
            "last_user_message": last_user_text(request.items),
        },
        "context": {"model": request.model, "harness": harness},
    }


def llm_response_event(
    request: ModelRequest, harness: str, *, text: str, calls: int, usage: Usage | None
) -> dict[str, Any]:
    """The event of the phase after a model request; `usage` is left out when the model told none."""
    data: dict[str, Any] = {
        "model": (usage.model if usage else "") or request.model,
        "text_preview": text[:_TEXT_PREVIEW],
        "tool_calls_count": calls,
    }
    if usage is not None:
        data["usage"] = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "cache_read_input_tokens": usage.cache_read_input_tokens,
            "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        }
    return {
        "type": "PHASE_LLM_RESPONSE",
        "data": data,
        "context": {"model": request.model, "harness": harness},
    }


def last_user_text(items: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last message in the user's place."""
    for item in reversed(items):
        if item.get("type") == "message" and item.get("role") == "user":
            content = item.get("content")
            if isinstance(content, str):
                return content
            blocks = [block for block in content or () if isinstance(block, Mapping)]
            return "\n".join(str(block["text"]) for block in blocks if isinstance(block.get("text"), str))
    return ""


def tool_call_event(call: ToolCall) -> dict[str, Any]:
    """The event of the phase before a tool that an engine runs by itself."""
    return {
        "type": "PHASE_TOOL_CALL",
        "target": call.name,
        "data": {"name": call.name, "arguments": arguments_of(call)},
    }


def tool_result_event(call: ToolCall, output: str) -> dict[str, Any]:
    """The event of the phase after such a tool."""
    return {
        "type": "PHASE_TOOL_RESULT",
        "target": call.name,
        "data": {"result": output},
        "request_data": {"name": call.name, "arguments": arguments_of(call)},
    }


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments as an object; whatever else a model wrote stands under `input`."""
    try:
        arguments = decode(call.arguments or "{}")
    except FrameError:
        return {"input": call.arguments}
    return arguments if isinstance(arguments, dict) else {"input": arguments}

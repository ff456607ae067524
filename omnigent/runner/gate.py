"""Tool calls on their way through the server's gate, across approvals, restarts and lost tunnels."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from omnigent.runner.api import ServerApi, ServerRefused, ServerUnreachable
from omnigent.runner.approvals import Approvals, Declined
from omnigent.runner.questions import is_tools_own

DENIED: Final = -32000
TUNNEL_LOST: Final = -32098
APPROVAL_SECONDS: Final = 86_400.0
OUTPUT_CAP: Final = 1024 * 1024
_PAUSE_START: Final = 0.1
_PAUSE_CAP: Final = 3.0


class ToolGate:
    """Calls tools of one session. `tunnel_up` waits at most so many seconds for the tunnel.

    A call keeps its operation id through every repeat, so that the runner's own end runs it once.
    """

    def __init__(
        self,
        api: ServerApi,
        *,
        session_id: str,
        approvals: Approvals,
        tunnel_up: Callable[[float], Awaitable[None]],
        patience_seconds: float = 120.0,
    ) -> None:
        self._api = api
        self._session_id = session_id
        self._approvals = approvals
        self._tunnel_up = tunnel_up
        self._patience_seconds = patience_seconds

    async def call(self, name: str, arguments: Mapping[str, Any], operation_id: str) -> str:
        """The text for the model; raises Declined when a person said no to the turn."""
        params: dict[str, Any] = {
            "name": name,
            "arguments": arguments,
            "_omnigent_operation_id": operation_id,
        }
        request_id = 1
        while True:
            reply = await self._request({"id": request_id, "method": "tools/call", "params": params})
            if "error" in reply:
                return _error_text(reply["error"])
            result = reply.get("result")
            if not isinstance(result, Mapping):
                return "Error: the server sent no result"
            result_type = result.get("resultType")
            if result_type is None or result_type == "complete":
                return _content_text(result)
            questions = result.get("inputRequests")
            if result_type != "input_required" or not isinstance(questions, Mapping) or not questions:
                return f"Error: the server sent a result that cannot be read: {result_type!r}"
            answers = await self._ask(questions, may_refuse=is_tools_own(result.get("requestState")))
            params = params | {"requestState": result.get("requestState"), "inputResponses": answers}
            request_id += 1

    async def list_tools(self) -> list[dict[str, Any]] | str:
        """What the server lets through of the tools that the runner lists, or why there is nothing."""
        reply = await self._request(
            {"id": 1, "method": "tools/list", "params": {"_omnigent_skip_registry": True}}
        )
        if "error" in reply:
            return _error_text(reply["error"])
        result = reply.get("result")
        tools = result.get("tools") if isinstance(result, Mapping) else None
        if not isinstance(tools, list):
            return "Error: the server sent no list of tools"
        return [tool for tool in tools if isinstance(tool, dict)]

    async def _ask(self, requests: Mapping[str, Any], *, may_refuse: bool) -> dict[str, Any]:
        """A no to a policy's question ends the turn; a tool reads what was said to its own."""
        answers: dict[str, Any] = {}
        for elicitation_id in requests:
            answer = await self._approvals.answer(elicitation_id, APPROVAL_SECONDS)
            if answer.action == "decline" and not may_refuse:
                raise Declined(elicitation_id)
            answers[elicitation_id] = {"action": answer.action, "content": dict(answer.content)}
        return answers

    async def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One answer of the gate; a lost tunnel or server is waited for and the request repeated."""
        deadline: float | None = None
        pause = _PAUSE_START
        while True:
            failure = "the tunnel was lost"
            try:
                reply = await self._api.mcp(self._session_id, {"jsonrpc": "2.0", **body})
                if _error_code(reply) != TUNNEL_LOST:
                    return reply
            except ServerRefused as exc:
                return {"error": {"code": exc.status, "message": f"the tool gate refused: {exc}"}}
            except ServerUnreachable as exc:
                failure = str(exc)
            deadline = deadline or time.monotonic() + self._patience_seconds
            left = deadline - time.monotonic()
            if left <= 0:
                return {"error": {"code": TUNNEL_LOST, "message": f"the server did not come back: {failure}"}}
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 2, _PAUSE_CAP)
            await self._tunnel_up(left)


def _error_code(reply: Mapping[str, Any]) -> int | None:
    error = reply.get("error")
    return error.get("code") if isinstance(error, Mapping) else None


def _error_text(error: Any) -> str:
    message = str(error.get("message", "unknown error")) if isinstance(error, Mapping) else str(error)
    return message if isinstance(error, Mapping) and error.get("code") == DENIED else f"Error: {message}"


def _content_text(result: Mapping[str, Any]) -> str:
    blocks = result.get("content")
    if not isinstance(blocks, list):
        return "Error: the server sent a result without content"
    return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, Mapping))


def capped(output: str) -> str:
    """At most OUTPUT_CAP bytes of an output, with a note when it was cut."""
    data = output.encode("utf-8", "replace")
    if len(data) <= OUTPUT_CAP:
        return output
    note = f"\n[output cut: {len(data)} bytes in all]"
    return data[: OUTPUT_CAP - len(note)].decode("utf-8", "ignore") + note

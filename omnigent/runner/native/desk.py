"""What the hooks of a program ask of its session: the policies, and people."""

import secrets
from collections.abc import Callable
from typing import Any

from omnigent.protocol.events import ElicitationRequest, ElicitationResolved
from omnigent.runner.approvals import Approvals
from omnigent.runner.calls import cleaned
from omnigent.runner.cleantext import clean
from omnigent.runner.gate import APPROVAL_SECONDS, capped
from omnigent.runner.harnesses.base import ApprovalRequest, ToolCall
from omnigent.runner.native.program import Place
from omnigent.runner.policy_gate import PolicyGate, Verdict, tool_call_event, tool_result_event
from omnigent.runner.rooms import Home

_PREVIEW = 1024
_ALLOWED = Verdict(is_allowed=True)


class SessionDesk:
    """`moved` is told which conversation the program shows, `is_typed` asked whether a prompt is our own."""

    def __init__(
        self,
        home: Home,
        approvals: Approvals,
        *,
        moved: Callable[[Place], None],
        is_typed: Callable[[str], bool],
    ) -> None:
        self._home = home
        self._approvals = approvals
        self._moved = moved
        self._is_typed = is_typed
        self._policies = PolicyGate(home.runtime.api, session_id=home.session_id)

    async def permit(self, call: ToolCall) -> Verdict:
        return await self._policies.ask(tool_call_event(cleaned(call)))

    async def review(self, call: ToolCall, output: str) -> Verdict:
        return await self._policies.ask(tool_result_event(cleaned(call), capped(clean(output))))

    async def admit(self, prompt: str) -> Verdict:
        if self._is_typed(prompt):
            return _ALLOWED
        data = {"user_content": clean(prompt), "attachments": []}
        return await self._policies.ask({"type": "PHASE_REQUEST", "data": data})

    async def ask(self, request: ApprovalRequest) -> str:
        elicitation_id, session_id = request.elicitation_id, self._home.session_id
        params: dict[str, Any] = {
            "mode": "url",
            "message": clean(request.message),
            "requestedSchema": {},
            "url": f"/approve/{session_id}/{elicitation_id}",
            "phase": "tool_call",
            "policy_name": None,
            "content_preview": clean(request.preview)[:_PREVIEW],
            "target_session_id": None,
        }
        self._home.uplink.put(ElicitationRequest(elicitation_id=elicitation_id, params=params))
        is_answered = False
        try:
            action = (await self._approvals.answer(elicitation_id, APPROVAL_SECONDS)).action
            is_answered = True
        finally:
            if not is_answered:
                # It was answered at the terminal, or the program was interrupted.
                self._home.uplink.put(ElicitationResolved(elicitation_id=elicitation_id))
        return action

    def moved(self, place: Place) -> None:
        self._moved(place)


def new_request(message: str, preview: str) -> ApprovalRequest:
    """A question to people with an id of its own."""
    elicitation_id = f"elicit_native_{secrets.token_hex(16)}"
    return ApprovalRequest(elicitation_id=elicitation_id, message=message, preview=preview)

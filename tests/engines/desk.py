"""The session's side of an engine under test: runs tools, answers questions, and keeps a journal of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from omnigent.runner.harnesses.base import ApprovalRequest, ModelRequest, ToolCall
from omnigent.runner.history import CANCELLED_OUTPUT, INTERRUPTED, History
from omnigent.runner.policy_gate import Verdict

Work = Callable[[Mapping[str, Any]], Awaitable[str]]
ALLOWED = Verdict(is_allowed=True)


class ScriptedDesk:
    """A `Desk` that keeps the history as the runner does.

    `tools` are the session's own tools by name; `refusals` are reasons by the name of a tool of the engine's,
    all others are permitted, as soon as `decided` is set. `coming` are the messages that `steers` will give.
    """

    def __init__(self) -> None:
        self.history = History()
        self.tools: dict[str, Work] = {}
        self.refusals: dict[str, str] = {}
        self.suppressed: dict[str, str] = {}
        self.answer = "accept"
        self.decided = asyncio.Event()
        self.decided.set()
        self.reached = asyncio.Event()
        self.coming: list[Mapping[str, Any]] = []
        self.journal: list[tuple[str, str]] = []
        self.called: list[ToolCall] = []
        self.permitted: list[ToolCall] = []
        self.settled: list[tuple[ToolCall, str]] = []
        self.asked: list[ApprovalRequest] = []
        self.sampled: list[ModelRequest] = []
        self.unfinished: list[ToolCall] = []
        self._text = ""

    # -- what the consumer of the engine's events tells ------------------------------------------------

    def hear(self, text: str) -> None:
        """The engine said this."""
        self._text += text
        if self.journal and self.journal[-1][0] == "text":
            self.journal[-1] = ("text", self.journal[-1][1] + text)
        else:
            self.journal.append(("text", text))

    def end_turn(self, *, interrupted: bool = False) -> None:
        """Keep what was said; after an interruption also that it was one."""
        self._keep_text()
        if interrupted:
            for call in self.unfinished:
                self._add_call(call, CANCELLED_OUTPUT)
            self.history.add_note(INTERRUPTED)
        self.unfinished.clear()

    # -- the desk ----------------------------------------------------------------------------------------

    async def call(self, call: ToolCall) -> str:
        self._open("call", call)
        self.called.append(call)
        work = self.tools.get(call.name)
        arguments = json.loads(call.arguments or "{}")
        output = await work(arguments) if work else f"Error: unknown tool {call.name!r}"
        self._settle(call, output)
        return output

    async def permit(self, call: ToolCall) -> Verdict:
        self._open("permit", call)
        self.permitted.append(call)
        await self.decided.wait()
        reason = self.refusals.get(call.name)
        return ALLOWED if reason is None else Verdict(is_allowed=False, reason=reason)

    async def settle(self, call: ToolCall, output: str) -> Verdict:
        reason = self.suppressed.get(call.name)
        self._settle(call, output if reason is None else f"[Result suppressed by policy: {reason}]")
        return ALLOWED if reason is None else Verdict(is_allowed=False, reason=reason)

    async def ask(self, request: ApprovalRequest) -> str:
        self.asked.append(request)
        self.reached.set()
        await self.decided.wait()
        return self.answer

    def steers(self) -> Sequence[Mapping[str, Any]]:
        messages, self.coming = self.coming, []
        if messages:
            self._keep_text()
        for message in messages:
            self.history.add_message(message)
        return messages

    async def may_sample(self, request: ModelRequest) -> Verdict:
        self.sampled.append(request)
        return ALLOWED

    # -- keeping -----------------------------------------------------------------------------------------

    def _open(self, kind: str, call: ToolCall) -> None:
        self._keep_text()
        self.journal.append((kind, call.name))
        self.unfinished.append(call)
        self.reached.set()

    def _settle(self, call: ToolCall, output: str) -> None:
        self.unfinished.remove(call)
        self.journal.append(("settled", call.name))
        self.settled.append((call, output))
        self._add_call(call, output)

    def _add_call(self, call: ToolCall, output: str) -> None:
        self.history.add_call({"call_id": call.call_id, "name": call.name, "arguments": call.arguments})
        self.history.add_output(call.call_id, output)

    def _keep_text(self) -> None:
        text, self._text = self._text, ""
        self.history.add_text(text)

"""One message to an agent, and everything that comes of it, printed as it streams."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from omnigent_client import Approval, OmnigentClient
from omnigent_client.events import Event
from omnigent_client.events.response import (
    ElicitationRequest,
    OutputItemDone,
    OutputTextDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseError,
    ResponseFailed,
    ResponseIncomplete,
)
from omnigent_client.events.session import SessionChildUpdated, SessionInputConsumed, SessionStatus
from omnigent_client.resources.session_inputs import Action
from omnigent_client.turns.callbacks import approval_of

OUTPUT_CHARS: Final = 600
TURN_ENDS: Final = (ResponseCompleted, ResponseIncomplete, ResponseFailed, ResponseCancelled)

Decide = Callable[[Approval], Awaitable[Action]]


async def run_turn(client: OmnigentClient, session_id: str, message: str, decide: Decide) -> str:
    """Say something, and follow the session until it rests, with all that its sub-agents wake it for.

    The status that it ends with, `idle` or `failed`. `decide` answers what has to be approved: accept,
    decline or cancel.
    """
    session = await client.sessions.get(session_id)
    printer = Printer()
    # A message that came behind the end of a turn begins another one.
    is_answered = False
    async with client.stream(session_id, after=session.resume_after) as stream:
        posted = await client.sessions.send_message(session_id, message)
        if posted.denied:
            printer.line("refused", posted.reason or "")
            return "failed"
        async for event in stream:
            printer.show(event)
            if isinstance(event, SessionInputConsumed):
                is_answered = False
            elif isinstance(event, TURN_ENDS):
                is_answered = True
            elif isinstance(event, ElicitationRequest):
                approval = approval_of(event, session_id)
                verdict = await decide(approval)
                await client.sessions.resolve_elicitation(
                    approval.session_id, approval.elicitation_id, verdict
                )
            elif isinstance(event, SessionStatus) and _rests(event.status, is_answered=is_answered):
                printer.end()
                return event.status
    return "failed"


def _rests(status: str, *, is_answered: bool) -> bool:
    """Whether nothing more comes by itself; `waiting` is for sub-agents, who will wake the session."""
    return status == "failed" or (status == "idle" and is_answered)


class Printer:
    """Writes text as it comes, and a line for each tool call, output and end of a sub-agent."""

    def __init__(self) -> None:
        self._is_inside_a_line = False
        self._children: dict[str, str] = {}
        self._calls: set[str] = set()

    def show(self, event: Event) -> None:
        """Print what a person wants to see of it."""
        if isinstance(event, OutputTextDelta):
            sys.stdout.write(event.delta)
            sys.stdout.flush()
            self._is_inside_a_line = not event.delta.endswith("\n")
        elif isinstance(event, OutputItemDone):
            self._item(event.item)
        elif isinstance(event, SessionInputConsumed):
            self._input(event.data.data)
        elif isinstance(event, SessionChildUpdated):
            self._child(event.child)
        elif isinstance(event, ResponseError):
            self.line("error", str(event.error.get("message")))
        elif isinstance(event, SessionStatus) and event.status == "failed":
            self.line("failed", str((event.error or {}).get("message")))

    def line(self, head: str, text: str) -> None:
        """A line of its own; a long text is cut."""
        self.end()
        cut = text.rstrip()[:OUTPUT_CHARS].replace("\n", "\n    ")
        sys.stdout.write(f"[{head}] {cut}\n")

    def end(self) -> None:
        """Begin a new line unless one has just begun."""
        if self._is_inside_a_line:
            sys.stdout.write("\n")
        self._is_inside_a_line = False

    def _item(self, item: Mapping[str, Any]) -> None:
        call_id = str(item.get("call_id"))
        if item.get("type") == "function_call":
            # A call is told when it begins and when it has ended.
            if call_id in self._calls:
                return
            self._calls.add(call_id)
            self.line("call", f"{item.get('name')} {item.get('arguments')}")
        elif item.get("type") == "function_call_output":
            self.line("output", str(item.get("output")))

    def _input(self, data: Mapping[str, Any]) -> None:
        blocks = data.get("content") or ()
        text = "".join(str(block.get("text", "")) for block in blocks if isinstance(block, Mapping))
        self.line(str(data.get("role", "input")), text)

    def _child(self, child: Mapping[str, Any]) -> None:
        name, status = str(child.get("title") or ""), str(child.get("current_task_status") or "")
        if name and status and self._children.get(name) != status:
            self._children[name] = status
            self.line("sub-agent", f"{name} {status}")

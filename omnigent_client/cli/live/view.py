"""A session's items and events turned into entries to show, in order and each once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from omnigent_client.cli.live.entries import Asked, Entry, Note, Ran, Said, Thought
from omnigent_client.cli.live.facts import Facts
from omnigent_client.cli.live.items import entry_of, text_of_thought
from omnigent_client.cli.live.text_blocks import TextBlocks
from omnigent_client.events import TERMINAL, Event
from omnigent_client.events.response import (
    CompactionCompleted,
    CompactionFailed,
    CompactionInProgress,
    ElicitationRequest,
    ElicitationResolved,
    FunctionCallOutputDelta,
    OutputItemDone,
    OutputTextDelta,
    PolicyDenied,
    ReasoningSummaryTextDelta,
    ReasoningTextDelta,
    ResponseCreated,
    ResponseError,
    ResponseEvent,
    ResponseInProgress,
    ResponseRetry,
)
from omnigent_client.events.session import SessionCreated, SessionInputConsumed, SessionInterrupted
from omnigent_client.records.items import Item, text_of
from omnigent_client.records.sessions import Session
from omnigent_client.resources.elicitations import pending
from omnigent_client.turns.callbacks import Approval, approval_of

LONGEST_TAIL: Final = 2000
WORDS: Final[Mapping[str | None, str]] = {"accept": "accepted", "decline": "declined", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A tool call without its result yet; `tail` is the end of what it has printed."""

    name: str
    arguments: str
    tail: str = ""


class SessionView:
    """Fed first with history, then with events in order. What it returns is shown for good, in that order.

    `text`, `thinking`, `calls` and `approvals` are what is under way and changes.
    """

    def __init__(self, session: Session) -> None:
        self.facts = Facts(session)
        self.thinking = ""
        self.calls: dict[str, RunningCall] = {}
        self.approvals: dict[str, Approval] = {}
        self._session_id = session.id
        self._blocks = TextBlocks()
        self._shown: set[str] = set()
        # In the middle of a message whose beginning was not heard: it is shown when it is whole.
        self._is_midway = session.active_response_id is not None
        # Each takes its own class of event.
        self._handlers: Mapping[type[Event], Callable[[Any], list[Entry]]] = {
            OutputTextDelta: self._text_came,
            ReasoningTextDelta: self._thought,
            ReasoningSummaryTextDelta: self._thought,
            OutputItemDone: self._item_came,
            FunctionCallOutputDelta: self._call_printed,
            SessionInputConsumed: self._input_came,
            ElicitationRequest: self._asked,
            ElicitationResolved: self._resolved,
            ResponseInProgress: self._began,
            ResponseCreated: self._replayed,
            SessionInterrupted: lambda event: [Note(text="interrupted")],
            PolicyDenied: lambda event: [Note(text=f"denied by a policy: {event.reason or ''}", is_bad=True)],
            ResponseRetry: lambda event: [
                Note(text=f"the model failed ({_message(event.error)}); trying again", is_bad=True)
            ],
            ResponseError: lambda event: [Note(text=_message(event.error), is_bad=True)],
            CompactionInProgress: lambda event: [Note(text="summarising the history")],
            CompactionCompleted: lambda event: [Note(text="the history is summarised")],
            CompactionFailed: lambda event: [Note(text="the history could not be summarised", is_bad=True)],
            SessionCreated: lambda event: [Note(text=f"a sub-agent works in {event.child_session_id}")],
        }

    @property
    def text(self) -> str:
        """What the agent is saying, as far as it was not returned yet."""
        return self._blocks.open_text

    def asked_before(self, session: Session) -> list[Entry]:
        """The questions that a snapshot says are open."""
        return [entry for event in pending(session) for entry in self._asked(event)]

    def missed(self, session: Session, items: Sequence[Item]) -> list[Entry]:
        """Go on from a snapshot after events were lost; what of it was not shown yet."""
        entries: list[Entry] = [Note(text="some events were missed")]
        self._blocks.clear()
        self.thinking = ""
        self.approvals.clear()
        self.facts = Facts(session)
        self._is_midway = session.active_response_id is not None
        for item in items:
            entries += self.add(item)
        return entries + self.asked_before(session)

    def add(self, item: Item) -> list[Entry]:
        """Take an item of the transcript; what there is to show of it now."""
        if item.id in self._shown:
            return []
        payload = item.payload
        call_id = str(payload.get("call_id"))
        if item.type == "function_call":
            running = RunningCall(str(payload.get("name") or ""), str(payload.get("arguments") or ""))
            self.calls.setdefault(call_id, running)
            return []
        self._shown.add(item.id)
        if item.type == "function_call_output":
            call = self.calls.pop(call_id, RunningCall("tool", str(payload.get("arguments") or "")))
            return [Ran(name=call.name, arguments=call.arguments, output=str(payload.get("output") or ""))]
        entry = entry_of(item)
        return [] if entry is None else [entry]

    def feed(self, event: Event) -> list[Entry]:
        """Take an event."""
        self.facts.feed(event)
        if event.type in TERMINAL and isinstance(event, ResponseEvent):
            return self._ended(event)
        handler = self._handlers.get(type(event))
        return [] if handler is None else handler(event)

    def unfinished(self) -> list[Entry]:
        """Give up waiting for what is under way."""
        entries = [*self._thought_out(), *self._said(self._blocks.rest())]
        for call in self.calls.values():
            entries.append(Ran(name=call.name, arguments=call.arguments, output=None))
        self.calls.clear()
        return entries

    def _began(self, event: ResponseInProgress) -> list[Entry]:
        self._blocks.clear()
        self._is_midway = False
        return []

    def _replayed(self, event: ResponseCreated) -> list[Entry]:
        self._blocks.clear()
        self._is_midway = True
        return []

    def _ended(self, event: ResponseEvent) -> list[Entry]:
        entries = self.unfinished()
        self._is_midway = False
        error = event.response.get("error") or {}
        if event.type == "response.failed":
            entries.append(Note(text=f"the turn failed: {_message(error)}", is_bad=True))
        elif event.type == "response.incomplete":
            entries.append(Note(text="the turn reached a limit", is_bad=True))
        return entries

    def _text_came(self, event: OutputTextDelta) -> list[Entry]:
        entries = self._thought_out()
        for block in self._blocks.feed(event.delta):
            entries += [] if self._is_midway else self._said(block)
        return entries

    def _thought(self, event: ReasoningTextDelta | ReasoningSummaryTextDelta) -> list[Entry]:
        self.thinking += event.delta
        return []

    def _thought_out(self) -> list[Entry]:
        text, self.thinking = self.thinking.strip(), ""
        return [Thought(text=text)] if text else []

    def _said(self, text: str) -> list[Entry]:
        return [Said(role="assistant", text=text)] if text.strip() else []

    def _item_came(self, event: OutputItemDone) -> list[Entry]:
        item = Item(id=str(event.item.get("id")), type=str(event.item.get("type")), raw=event.item)
        if item.type == "reasoning" and self.thinking and text_of_thought(item):
            self.thinking = ""
        entries = self._thought_out()
        if item.type == "message" and item.role == "assistant":
            return entries + self._message_came(item)
        if item.type == "error":
            # The end of the response says the same.
            self._shown.add(item.id)
            return entries
        return entries + self.add(item)

    def _message_came(self, item: Item) -> list[Entry]:
        """The whole of a message, of which the blocks so far were shown already."""
        heard, rest, was_midway = self._blocks.heard, self._blocks.rest(), self._is_midway
        self._blocks.clear()
        self._is_midway = False
        if item.id in self._shown:
            return []
        self._shown.add(item.id)
        if heard.strip() and item.text.startswith(heard.rstrip()) and not was_midway:
            return self._said(f"{rest}{item.text[len(heard) :]}".strip("\n"))
        return self._said(item.text.strip("\n"))

    def _call_printed(self, event: FunctionCallOutputDelta) -> list[Entry]:
        call = self.calls.get(event.call_id, RunningCall("tool", ""))
        self.calls[event.call_id] = replace(call, tail=(call.tail + event.delta)[-LONGEST_TAIL:])
        return []

    def _input_came(self, event: SessionInputConsumed) -> list[Entry]:
        said = event.data
        if said.item_id in self._shown or said.type != "message":
            return []
        self._shown.add(said.item_id)
        return [Said(role="user", text=text_of(said.data.get("content")), who=said.created_by)]

    def _asked(self, event: ElicitationRequest) -> list[Entry]:
        if event.elicitation_id in self.approvals:
            return []
        approval = approval_of(event, self._session_id)
        self.approvals[event.elicitation_id] = approval
        return [
            Asked(
                message=approval.message,
                preview=approval.content_preview,
                policy=approval.policy_name,
                fields=_fields(approval.requested_schema),
            )
        ]

    def _resolved(self, event: ElicitationResolved) -> list[Entry]:
        if self.approvals.pop(event.elicitation_id, None) is None:
            return []
        return [Note(text=WORDS.get(event.action, "no longer asked"))]


def _fields(schema: Mapping[str, Any]) -> tuple[str, ...]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    return tuple(
        f"{name}: {one.get('description') or one.get('type') or ''}"
        if isinstance(one, Mapping)
        else str(name)
        for name, one in properties.items()
    )


def _message(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or error.get("code") or "no reason given")

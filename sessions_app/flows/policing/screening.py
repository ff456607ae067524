"""The assistant's text on its way into the conversation: policies are asked before it is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.policies.types import Action, Phase, PolicyEvent
from omnigent.protocol import events, inputs, items
from sessions_app.flows.policing.evaluating import evaluate
from sessions_app.flows.policing.rounds import Subject
from sessions_app.services import gating
from sessions_app.services.inputs import read_payload
from sessions_app.services.policing import facts
from sessions_app.services.policing.silencing import TextDenied, sentinel

if TYPE_CHECKING:
    from sessions_app.process import Process

ASSISTANT_TYPES = frozenset({"message", "external_assistant_message", "external_conversation_item"})


@dataclass(slots=True)
class Screen:
    """Follows the text of one runner's stream, of which `text` is not an item yet."""

    process: "Process"
    session_pk: int
    text: str = ""

    async def screened(self, batch: Sequence[events.Event]) -> Sequence[events.Event]:
        """The batch, with a denial before each event that would make an item of denied text."""
        if not any(_ends_text(event) or _is_text(event) or _whole_text(event) for event in batch):
            return batch
        passed: list[events.Event] = []
        for event in batch:
            if isinstance(event, events.OutputTextDelta) and _is_text(event):
                self.text += event.delta
            elif isinstance(event, events.OutputItemDone) and (said := _whole_text(event)):
                text, self.text = self.text, ""
                reason = await self._first_denial((said, text), event)
                if reason is not None:
                    passed.append(TextDenied(reason=reason))
                    event = replace(event, item={**event.item, "content": _content(sentinel(reason))})
            elif _ends_text(event):
                text, self.text = self.text, ""
                reason = await self._denial(text, event) if text.strip() else None
                if reason is not None:
                    passed.append(TextDenied(reason=reason))
            passed.append(event)
        return passed

    async def _first_denial(self, texts: Sequence[str], event: events.Event) -> str | None:
        for text in dict.fromkeys(texts):
            reason = await self._denial(text, event) if text.strip() else None
            if reason is not None:
                return reason
        return None

    async def _denial(self, text: str, event: events.Event) -> str | None:
        is_final = event.type in events.TERMINAL
        return await denial(
            self.process, Subject(session_pk=self.session_pk, actor=""), text, is_final=is_final
        )


def _is_text(event: events.Event) -> bool:
    return isinstance(event, events.OutputTextDelta) and event.message_id is None


def _whole_text(event: events.Event) -> str:
    """What a runner says with a whole message of the assistant, beside or instead of streaming it."""
    if not isinstance(event, events.OutputItemDone) or event.item.get("type") != "message":
        return ""
    try:
        data = items.parse_item("message", items.scrub(event.item))
    except items.InvalidItem:
        return ""  # it is not stored
    if not isinstance(data, items.Message) or data.role != "assistant":
        return ""
    return items.text_of(data.content)


def _ends_text(event: events.Event) -> bool:
    if isinstance(event, events.OutputItemDone):
        kind, status = event.item.get("type"), event.item.get("status")
        return kind == "function_call" and status == "completed"
    if isinstance(event, events.SessionStatus):
        return event.status != "running"
    return event.type in events.TERMINAL or isinstance(event, events.ResponseInProgress)


async def denial(
    process: "Process", subject: Subject, text: str, *, is_final: bool | None = None
) -> str | None:
    """Why an assistant's text may not be stored; None when it may. A person cannot be asked here."""
    found = await process.pool.run(facts.read, subject.session_pk)
    if found.response_id in found.silenced:
        return found.silenced[found.response_id]
    event = PolicyEvent(phase=Phase.RESPONSE, data=text, context={"turn_final": is_final})
    verdict = (await evaluate(process, subject, event)).verdict
    return None if verdict.action is Action.ALLOW else verdict.reason or str(verdict.policy)


async def posted(
    process: "Process", principal: Principal, session_id: str, event: inputs.SessionEvent
) -> inputs.SessionEvent:
    """An input as it may be stored: what it has an assistant say is replaced where policies deny it."""
    text = assistant_text(event)
    if not text.strip():
        return event
    gate = await process.pool.run(gating.open_gate, principal, session_id)
    reason = await denial(process, Subject(session_pk=gate.session_pk, actor=gate.actor), text)
    return event if reason is None else replace(event, data=_replaced(event, sentinel(reason)))


def assistant_text(event: inputs.SessionEvent) -> str:
    """What an input has an assistant say; empty for every other input, and for one that cannot be read."""
    if event.type not in ASSISTANT_TYPES:
        return ""
    try:
        payload = read_payload(event)
    except OmnigentError:
        return ""
    if isinstance(payload, inputs.ExternalAssistantMessage):
        return payload.text
    item = getattr(payload, "item", None)
    is_said = isinstance(item, items.Message) and item.role == "assistant"
    return items.text_of(item.content) if is_said and item is not None else ""


def _replaced(event: inputs.SessionEvent, text: str) -> Mapping[str, Any]:
    content = _content(text)
    if event.type == "external_assistant_message":
        return {**event.data, "text": text}
    if event.type == "message":
        return {**event.data, "content": content}
    return {**event.data, "item_data": {**event.data["item_data"], "content": content}}


def _content(text: str) -> list[dict[str, str]]:
    return [{"type": "output_text", "text": text}]

"""Compaction: which items a summary stands for, how a model is asked for it, and what it becomes.

The transcript keeps everything. The summary stands for all items up to `last_item_id` when a history is
loaded; the most recent exchange stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
from django.conf import settings
from django.utils import timezone

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.protocol import events, items
from sessions_app.models import Item, Session
from sessions_app.services import controls, messages
from sessions_app.services.item_forms import NewItem, flat_item
from sessions_app.services.tick import Tick, tick_of
from sessions_app.services.turns import BUSY

REQUEST = (
    "Summarise the conversation so far. Your summary will stand in its place for the assistant that goes on "
    "with it, so keep what that needs: what the user wants, what was decided and why, what was done with "
    "which files and commands and how it came out, what is still open, and names, paths and figures exactly "
    "as they were. Leave out pleasantries and dead ends. Answer with the summary only."
)
MAX_OUTPUT = 2_000
MAX_PROMPT = 400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a summary is asked for with, and up to which item it will speak."""

    model: str
    last_item_id: str
    messages: Sequence[Mapping[str, str]]


def start(tick: Tick, session: Session) -> bool:
    """Show that compaction begins; false when it is under way already. Raises 409 while a turn runs."""
    if session.status in BUSY:
        raise OmnigentError(
            ErrorCode.CONFLICT,
            "Cannot compact while a turn is running; cancel or wait for it to finish first",
        )
    if session.compacting_until is not None and session.compacting_until > tick.now:
        return False
    messages.require_runner(session)
    session.compacting_until = tick.now + timedelta(seconds=settings.OMNIGENT_COMPACTION_SECONDS)
    tick.append(session, events.CompactionInProgress(started_at=int(tick.now.timestamp())))
    return True


def plan(session_pk: int) -> Plan | None:
    """What to summarise; None when the conversation is no longer than its most recent exchange."""
    session = Session.objects.select_related("agent").get(pk=session_pk)
    found = list(_since_compaction(session))
    place = max((n for n, item in enumerate(found) if _is_authored(item)), default=len(found))
    old = [item for item in found[:place] if item.type != items.Compaction.type]
    if not old:
        return None
    said = [message for item in found[:place] if (message := _message(item)) is not None]
    return Plan(
        model=session.model_override or (session.agent.model if session.agent else ""),
        last_item_id=old[-1].public_id,
        messages=[*_newest(said), {"role": "user", "content": REQUEST}],
    )


def finish(session_pk: int, plan: Plan, *, text: str, tokens: int | None, model: str) -> None:
    """Store the summary and show it; the runner loads the shorter history with the next turn."""
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            data = items.Compaction(
                summary=items.scrub(text),
                last_item_id=plan.last_item_id,
                model=model or None,
                token_count=tokens,
            )
            item = tick.add_item(session, NewItem(data=data, response_id=mint("compact")))
            tick.append(session, events.OutputItemDone(item=flat_item(item)))
            controls.forget(tick, session)
            _show_end(tick, session, text=data.summary, tokens=tokens, model=model)


def settle(session_pk: int) -> None:
    """Nothing was left to summarise here: show that compaction is over."""
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            _show_end(tick, session, text=None, tokens=None, model="")


def fail(session_pk: int) -> None:
    """Show that the history is unchanged."""
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            if session.compacting_until is not None:
                session.compacting_until = None
                tick.append(session, events.CompactionFailed())


def expire() -> int:
    """Fail what a server process began and did not live to finish; how many there were."""
    late = list(Session.objects.filter(compacting_until__lt=timezone.now()).values_list("pk", flat=True))
    for session_pk in late:
        fail(session_pk)
    return len(late)


def _show_end(tick: Tick, session: Session, *, text: str | None, tokens: int | None, model: str) -> None:
    session.compacting_until = None
    tick.append(
        session,
        events.CompactionCompleted(total_tokens=tokens, summary=text, summary_model=model or None),
    )


def _since_compaction(session: Session) -> Sequence[Item]:
    """The last compaction and what is not in it, oldest first."""
    whole = Item.objects.filter(session=session).order_by("position")
    last = whole.filter(type=items.Compaction.type).last()
    if last is None:
        return list(whole)
    covered = orjson.loads(last.data).get("last_item_id")
    edge = whole.filter(public_id=covered).values_list("position", flat=True).first()
    rest = whole.filter(position__gt=last.position if edge is None else edge)
    return [last, *rest.exclude(type=items.Compaction.type)]


def _is_authored(item: Item) -> bool:
    return item.type == items.Message.type and bool(orjson.loads(item.data).get("user_authored"))


def _message(item: Item) -> dict[str, str] | None:
    data = orjson.loads(item.data)
    if item.type == items.Message.type:
        text = items.text_of(data.get("content") or [])
        return {"role": "assistant" if data.get("role") == "assistant" else "user", "content": text}
    if item.type == items.FunctionCall.type:
        return {"role": "assistant", "content": f"[calls {data['name']}] {data['arguments'][:MAX_OUTPUT]}"}
    if item.type == items.FunctionCallOutput.type:
        return {"role": "user", "content": f"[the tool answered] {data['output'][:MAX_OUTPUT]}"}
    if item.type == items.Compaction.type:
        return {"role": "user", "content": f"[what was said before, in short] {data['summary']}"}
    return None


def _newest(said: Sequence[dict[str, str]]) -> Sequence[dict[str, str]]:
    """As many of the newest messages as a prompt may hold; what was left out is said in the first one."""
    kept: list[dict[str, str]] = []
    size = 0
    for message in reversed(said):
        size += len(message["content"])
        if kept and size > MAX_PROMPT:
            note = {"role": "user", "content": "[older messages are left out here]"}
            return [note, *reversed(kept)]
        kept.append({**message, "content": message["content"][:MAX_PROMPT]})
    return kept[::-1]

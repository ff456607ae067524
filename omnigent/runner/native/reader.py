"""From the entries of a transcript to the session's events, and to what the program is at."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from omnigent.runner.cleantext import clean
from omnigent.runner.gate import capped
from omnigent.runner.history import CANCELLED_OUTPUT
from omnigent.runner.native.entries import Dropped, Ended, Entry, Item, Sampled, Thought, Told, UserSaid
from omnigent.runner.native.memory import Memory, Typed
from omnigent.runner.native.mirror import Mirror
from omnigent.runner.native.order import Order, Record
from omnigent.runner.native.program import NativeProgram, Place
from omnigent.runner.native.tail import Tail

FAILED: Final = "The program ended its turn with an error."


class Reader:
    """`is_busy` says that the program works on a prompt, `ended` how the last one came out.

    `attended` tells whether a turn of the session's own runs, whose announcer says how it goes; else the
    status is reported here.
    """

    def __init__(
        self, program: NativeProgram, memory: Memory, mirror: Mirror, *, attended: Callable[[], bool]
    ) -> None:
        self._program = program
        self._memory = memory
        self._mirror = mirror
        self._attended = attended
        self._tail: Tail | None = None
        self._order = Order(program.link)
        self.is_busy = False
        self.ended: Ended | None = None
        self.changed = asyncio.Event()
        self.response_id = ""

    # -- where it reads ----------------------------------------------------------------------------------

    def follow(self, place: Place) -> None:
        """Read this conversation from now on, after what is left of the other one."""
        progress = self._memory.progress
        if self._tail is None or str(self._tail.path) != str(place.transcript):
            self.read()
            self._read_rest()
            if progress.transcript != str(place.transcript):
                progress.transcript, progress.offset = str(place.transcript), 0
            self._open(place.transcript, progress.offset)
        self._memory.conversation = place.conversation
        self._memory.save()

    def resume(self) -> None:
        """Read what a predecessor left unread, then close what the end of its program left open."""
        progress = self._memory.progress
        if progress.transcript:
            self._open(Path(progress.transcript), progress.offset)
            self.read()
        self.broken_off()

    def broken_off(self) -> None:
        """The program is gone: what it was at has no end of its own."""
        self._read_rest()
        for call_id, response_id in self._memory.progress.open_calls.items():
            data = {"call_id": call_id, "output": CANCELLED_OUTPUT}
            self._post_item("function_call_output", data, f"{call_id}:cancelled", response_id)
        self._memory.progress.open_calls.clear()
        self._mirror.then(self._memory.mark())
        self.is_busy = False
        self.changed.set()

    def read(self) -> None:
        """Take everything that has come."""
        if self._tail is None:
            return
        while records := self._tail.read():
            for record, _ in records:
                self._take_all(self._order.put(record))
            self._note_progress()
        if self._order.holds_some:
            self._take_all(self._order.overdue())
            self._note_progress()

    def _open(self, transcript: Path, offset: int) -> None:
        self._tail = Tail(transcript, offset)
        self._order = Order(self._program.link)
        for record in self._tail.passed():
            self._order.know(record)

    def _read_rest(self) -> None:
        """Take also what waits for records that will not come any more."""
        if self._order.holds_some:
            self._take_all(self._order.rest())
            self._note_progress()

    def _note_progress(self) -> None:
        """A successor begins at a place behind which nothing waits."""
        if self._tail is not None and not self._order.holds_some:
            self._memory.progress.offset = self._tail.offset
            self._mirror.then(self._memory.mark())

    def _take_all(self, records: Iterable[Record]) -> None:
        for record in records:
            for entry in self._program.read(record):
                self._take(entry)

    # -- entries -----------------------------------------------------------------------------------------

    def _take(self, entry: Entry) -> None:
        match entry:
            case UserSaid():
                self._user_said(entry)
            case Item():
                self._item(entry)
            case Thought():
                self._mirror.post(
                    "external_output_reasoning_delta", {"delta": clean(entry.text), "started": True}
                )
            case Sampled():
                self._sampled(entry)
            case Ended():
                self._end(entry)
            case Dropped():
                self._memory.drop(entry.text)
                self.changed.set()
            case Told():
                self._mirror.post(entry.event_type, entry.data)

    def _user_said(self, said: UserSaid) -> None:
        ours = self._memory.take(said.text)
        self._begin(said.source_id)
        if ours is None or not ours.item_id:
            self._mirror.post("external_conversation_item", self._prompt(said, ours))
        self.changed.set()

    def _prompt(self, said: UserSaid, ours: Typed | None) -> dict[str, Any]:
        text = clean(ours.text if ours else said.text)
        data = {
            "item_type": "message",
            "item_data": {"role": "user", "content": [{"type": "input_text", "text": text}]},
            "response_id": self.response_id,
            "source_id": said.source_id,
        }
        return {**data, "pending_id": ours.pending_id} if ours and ours.pending_id else data

    def _begin(self, source_id: str) -> None:
        if self.is_busy:
            return
        self.is_busy, self.ended = True, None
        if not self._attended():
            self.response_id = f"native_{source_id}"[:128]
            self._mirror.post("external_session_status", {"status": "running"})

    def _item(self, item: Item) -> None:
        call_id = str(item.data.get("call_id") or "")
        open_calls = self._memory.progress.open_calls
        response_id = self.response_id
        if item.item_type == "function_call":
            open_calls[call_id] = response_id
        elif item.item_type == "function_call_output":
            response_id = open_calls.pop(call_id, response_id)
        self._post_item(item.item_type, item.data, item.source_id, response_id)

    def _post_item(self, item_type: str, data: Any, source_id: str, response_id: str) -> None:
        body = {"item_type": item_type, "item_data": _cleaned(data), "source_id": source_id}
        if response_id:
            body["response_id"] = response_id
        self._mirror.post("external_conversation_item", body)

    def _sampled(self, sampled: Sampled) -> None:
        tokens = {
            "input": sampled.input_tokens,
            "output": sampled.output_tokens,
            "cache": sampled.cache_read_input_tokens,
        }
        if self._memory.progress.last_answer == {"id": sampled.answer_id, "tokens": tokens}:
            return
        total = self._memory.progress.count(sampled.answer_id, tokens)
        data: dict[str, Any] = {
            "context_tokens": sampled.input_tokens + sampled.output_tokens,
            "cumulative_input_tokens": total["input"],
            "cumulative_output_tokens": total["output"],
            "cumulative_cache_read_input_tokens": total["cache"],
            "model": sampled.model,
        }
        if sampled.context_window:
            data["context_window"] = sampled.context_window
        self._mirror.post("external_session_usage", data)

    def _end(self, ended: Ended) -> None:
        if not self.is_busy:
            return
        self.is_busy, self.ended = False, ended
        self.changed.set()
        if self._attended():
            return
        if ended.kind == "interrupted":
            self._mirror.post("external_session_interrupted", {})
        if ended.kind == "failed":
            output = clean(ended.message or FAILED)
            self._mirror.post("external_session_status", {"status": "failed", "output": output})
        else:
            self._mirror.post("external_session_status", {"status": "idle"})

    def give_up(self, kind: Ended) -> None:
        """The transcript does not tell of this end; the screen does."""
        self._end(kind)


def _cleaned(data: Any) -> Any:
    """The same with every text fit to be stored, and a tool's output no longer than one may be."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {
            key: capped(clean(value)) if key == "output" and isinstance(value, str) else _cleaned(value)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_cleaned(each) for each in data]
    return data

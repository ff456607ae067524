"""What the model is shown: a session's items, loaded once and then kept up by the turns themselves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Item = dict[str, Any]

CANCELLED_OUTPUT: Final = "[Cancelled - the call was interrupted before it finished]"
INTERRUPTED: Final = (
    "[System: interrupted] The user interrupted the previous request. It is abandoned: do not go on with it "
    "unless the user asks for that."
)
CURRENT_TURN: Final = "current_turn"
_KEPT: Final = frozenset({"message", "function_call", "function_call_output", "slash_command"})


class History:
    """The items of one session, oldest first, in the flat form of the items endpoint."""

    def __init__(self, items: Iterable[Mapping[str, Any]] = ()) -> None:
        self._items: list[Item] = [dict(item) for item in items]
        self._ids = {item["id"] for item in self._items if "id" in item}
        self._turn_start = len(self._items)

    def has(self, item_id: object) -> bool:
        """Whether a stored item is in it."""
        return item_id in self._ids

    def replace(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Hold other items; those from the current turn's first message on belong to the turn as before, and
        messages of the turn that are missing among them are kept.
        """
        given = [dict(item) for item in items]
        places = {item["id"]: place for place, item in enumerate(given) if "id" in item}
        turn = self._items[self._turn_start :]
        missing = [item for item in turn if item.get("role") == "user" and item.get("id") not in places]
        self._turn_start = min(
            (places[item["id"]] for item in turn if item.get("id") in places),
            default=len(given) if missing else 0,
        )
        self._items = given + missing
        self._ids = {item["id"] for item in self._items if "id" in item}

    def begin_turn(self) -> None:
        """What is added from now on belongs to the current turn."""
        self._turn_start = len(self._items)

    def add_message(self, message: Mapping[str, Any]) -> None:
        """A user's message; nothing happens when the loaded items already had it."""
        item_id = message.get("persisted_item_id")
        if item_id in self._ids:
            return
        item: Item = {
            "type": "message",
            "role": message.get("role", "user"),
            "content": message.get("content", []),
        }
        if item_id:
            item["id"] = item_id
            self._ids.add(item_id)
        self._items.append(item)

    def add_text(self, text: str) -> None:
        """What the assistant said; blank text is not kept, as it is not stored."""
        if text.strip():
            content = [{"type": "output_text", "text": text}]
            self._items.append({"type": "message", "role": "assistant", "content": content})

    def replace_text(self, text: str) -> None:
        """Put other words in the place of what the assistant has just said."""
        assert self._items[-1].get("role") == "assistant"
        self._items.pop()
        self.add_text(text)

    def add_call(self, call: Mapping[str, Any]) -> None:
        self._items.append({"type": "function_call", **call})

    def add_output(self, call_id: str, output: str) -> None:
        self._items.append({"type": "function_call_output", "call_id": call_id, "output": output})

    def add_note(self, text: str) -> None:
        """A message in the user's place that the user did not write."""
        content = [{"type": "input_text", "text": text}]
        self._items.append({"type": "message", "role": "user", "content": content})

    def model_input(self) -> list[Item]:
        """The items as a model may see them, those of the current turn marked with CURRENT_TURN."""
        marked = [
            {**item, CURRENT_TURN: True} if index >= self._turn_start else item
            for index, item in enumerate(self._items)
        ]
        return paired([item for item in marked if item.get("type") in _KEPT])


def loaded(items: Sequence[Mapping[str, Any]], pending_id: str | None) -> list[Item]:
    """Stored items as history for a message that is about to be added.

    The message itself is left out, and so are messages and commands that users wrote after it: they are on
    their way too and come by themselves. A compaction stands for everything up to its last item.
    """
    kept: list[Item] = []
    seen_pending = False
    for item in items:
        if pending_id is not None and item.get("id") == pending_id:
            seen_pending = True
        elif not (seen_pending and is_input(item)):
            kept.append(dict(item))
    return compacted(kept)


def is_input(item: Mapping[str, Any]) -> bool:
    """Whether it comes by itself: a person wrote it, or it says that a sub-agent has returned."""
    is_message = bool(item.get("user_authored") or item.get("subagent_return_id"))
    return is_message or item.get("type") == "slash_command"


def compacted(items: list[Item]) -> list[Item]:
    """The items with the latest compaction's summary in the place of what it summarises."""
    latest = max((i for i, item in enumerate(items) if item.get("type") == "compaction"), default=None)
    if latest is None:
        return items
    compaction = items[latest]
    last_id = compaction.get("last_item_id")
    boundary = next((i for i, item in enumerate(items) if last_id and item.get("id") == last_id), latest)
    text = f"[Summary of the conversation so far]\n{compaction.get('summary', '')}"
    summary: Item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    rest = items[boundary + 1 :]
    return [summary, *(item for item in rest if item.get("type") != "compaction")]


def paired(items: Sequence[Item]) -> list[Item]:
    """The items with an output for every call and no output without its call.

    A call that was never answered gets CANCELLED_OUTPUT behind the run of calls it belongs to.
    """
    answered = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
    result: list[Item] = []
    called: set[Any] = set()
    dangling: list[Item] = []
    for item in items:
        kind = item.get("type")
        if kind == "message":
            result += dangling
            dangling = []
        if kind == "function_call":
            called.add(item.get("call_id"))
            if item.get("call_id") not in answered:
                dangling.append(_cancelled(item))
        if kind != "function_call_output" or item.get("call_id") in called:
            result.append(item)
    return result + dangling


def _cancelled(call: Item) -> Item:
    return {
        **({CURRENT_TURN: True} if CURRENT_TURN in call else {}),
        "type": "function_call_output",
        "call_id": call.get("call_id"),
        "output": CANCELLED_OUTPUT,
    }

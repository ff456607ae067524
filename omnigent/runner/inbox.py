"""Messages that wait for their turn, and the ids of everything that was taken before."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Final

_REMEMBERED: Final = 10_000
_TURN_KEYS: Final = ("tools", "model_override", "reasoning", "harness_override", "instructions")

Message = Mapping[str, Any]


class Inbox:
    """Messages of one session in the order in which they were admitted."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def is_repeat(self, delivery: object) -> bool:
        """Whether this delivery was taken before; remembers it. Anything but a string is never a repeat."""
        if not isinstance(delivery, str) or not delivery:
            return False
        if delivery in self._seen:
            self._seen.move_to_end(delivery)
            return True
        self._seen[delivery] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def put(self, message: Message) -> None:
        self._waiting.append(message)

    def take_all(self) -> list[Message]:
        """Everything that waits, for one turn."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def take_steers(self, running: Message) -> list[Message]:
        """What may join the turn of this message: everything up to one that asks for other settings."""
        taken: list[Message] = []
        while self._waiting and _same_settings(self._waiting[0], running):
            taken.append(self._waiting.popleft())
        return taken


def _same_settings(message: Message, running: Message) -> bool:
    return all(message.get(key) == running.get(key) for key in _TURN_KEYS)

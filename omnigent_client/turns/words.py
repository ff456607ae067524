"""What the agent has said in a turn so far."""

from collections.abc import Mapping
from typing import Any

from omnigent_client.records.items import text_of


class Words:
    """Messages by their item's id, and the words after the last message that are not one yet."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._tail: list[str] = []

    def clear(self) -> None:
        """Another response begins."""
        self._messages.clear()
        self._tail.clear()

    def say(self, delta: str) -> None:
        """Some more text arrived."""
        self._tail.append(delta)

    def repeat(self) -> None:
        """What follows is the unfinished message from its beginning."""
        self._tail.clear()

    def add(self, item: Mapping[str, Any]) -> None:
        """A message is complete; anything but the agent's messages is ignored. The same one counts once."""
        payload = item if "role" in item else item.get("data")
        if item.get("type") != "message" or not isinstance(payload, Mapping):
            return
        if payload.get("role") == "assistant":
            self._tail.clear()
            self._messages[str(item.get("id"))] = text_of(payload.get("content"))

    @property
    def messages(self) -> tuple[str, ...]:
        """Each message that says something, in order."""
        return tuple(text for text in (*self._messages.values(), "".join(self._tail)) if text.strip())

    @property
    def text(self) -> str:
        """All of them, with an empty line between."""
        return "\n\n".join(self.messages)

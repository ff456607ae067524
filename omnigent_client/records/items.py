"""Items of a transcript, in one shape whichever way the server sent them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigent_client.decoding import Record

TEXT_BLOCKS = frozenset({"input_text", "output_text", "text"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Item(Record):
    """One item. `payload` holds what its type adds: `role` and `content` of a message, `call_id`, …"""

    id: str
    type: str
    status: str | None = None
    response_id: str | None = None
    created_at: int | None = None
    created_by: str | None = None
    data: Mapping[str, Any] | None = None

    @property
    def payload(self) -> Mapping[str, Any]:
        """The members of the item's type."""
        return self.raw if self.data is None else self.data

    @property
    def role(self) -> str | None:
        """Who said it: user or assistant; None for anything but messages."""
        found = self.payload.get("role")
        return found if isinstance(found, str) else None

    @property
    def text(self) -> str:
        """The words of a message; empty for anything else."""
        return text_of(self.payload.get("content"))


def text_of(content: object) -> str:
    """The text blocks of a message's content, joined."""
    if not isinstance(content, list | tuple):
        return ""
    return "".join(
        str(block.get("text") or "")
        for block in content
        if isinstance(block, Mapping) and block.get("type") in TEXT_BLOCKS
    )

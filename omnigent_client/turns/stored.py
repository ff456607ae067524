"""What the stored items and the snapshot say of one message's turn, for whoever missed its events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from omnigent_client.records.items import Item
from omnigent_client.records.sessions import Session

RESTING: Final = frozenset({"idle", "waiting", "failed"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The items of the turn, oldest first; `is_followed` when a later message's turn has begun behind it."""

    items: tuple[Item, ...]
    is_followed: bool

    @property
    def response_id(self) -> str | None:
        """The response that said the last of it."""
        return self.items[-1].response_id if self.items else None

    @property
    def error(self) -> Item | None:
        """The item that says why it failed."""
        return next((item for item in reversed(self.items) if item.type == "error"), None)

    @property
    def was_interrupted(self) -> bool:
        """Whether it was broken off in the middle of a message."""
        return bool(self.items) and bool(self.items[-1].payload.get("interrupted"))


def stored_turn(session: Session, items: Sequence[Item]) -> Stored:
    """The turn's part of the `items` behind its message; `session` was read before them.

    A later message belongs to the turn if it steered it: then the responses that had begun go on behind it.
    A response that begins behind a later message is that message's.
    """
    mine: list[Item] = []
    responses: set[str | None] = set()
    is_behind_another = False
    for item in items:
        if item.role == "user":
            is_behind_another = bool(mine)
        elif is_behind_another and item.response_id not in responses:
            return Stored(items=tuple(mine), is_followed=True)
        else:
            mine.append(item)
            responses.add(item.response_id)
    is_elsewhere = session.status not in RESTING and session.active_response_id not in responses
    return Stored(items=tuple(mine), is_followed=is_behind_another and is_elsewhere)

"""Puts the records of a transcript into the order of the conversation.

A program may write what comes of a first prompt before the prompt itself: an answer that comes at once, or an
error of the model. Each record names the one that it follows, so that it can wait for it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from omnigent.runner.native.program import Link

PATIENCE_SECONDS: Final = 5.0
"""How long a record waits for one that is perhaps never written."""

Record = dict[str, Any]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Early:
    record: Record
    follows: str
    since: float


class Order:
    """Takes records as they stand in the file, and gives them in the order of the conversation."""

    def __init__(self, link: Callable[[Record], Link], *, clock: Clock = time.monotonic) -> None:
        self._link = link
        self._clock = clock
        self._known: set[str] = set()
        self._early: list[_Early] = []

    @property
    def holds_some(self) -> bool:
        """Whether records wait for what they follow."""
        return bool(self._early)

    def know(self, record: Record) -> None:
        """This one was given before."""
        self._known.add(self._link(record).own)

    def put(self, record: Record) -> Iterator[Record]:
        """What this one sets free: itself and those that waited for it, or nothing."""
        link = self._link(record)
        if link.follows and link.follows not in self._known:
            self._early.append(_Early(record, link.follows, self._clock()))
            return
        yield from self._free(record)

    def overdue(self) -> Iterator[Record]:
        """Those that have waited too long, with what waited for them."""
        while self._early and self._early[0].since + PATIENCE_SECONDS <= self._clock():
            yield from self._free(self._early.pop(0).record)

    def rest(self) -> Iterator[Record]:
        """All that wait, when nothing more will come."""
        while self._early:
            yield from self._free(self._early.pop(0).record)

    def _free(self, record: Record) -> Iterator[Record]:
        found = [record]
        while found:
            record = found.pop(0)
            yield record
            own = self._link(record).own
            self._known.add(own)
            found += [each.record for each in self._early if own and each.follows == own]
            self._early = [each for each in self._early if not own or each.follows != own]

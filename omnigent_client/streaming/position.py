"""A place in a session's log: the number of an event, in one incarnation of the log."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Behind the event `number` of the log's incarnation `epoch`; None of them is "not known"."""

    number: int | None = None
    epoch: str | None = None

    @classmethod
    def after(cls, after: int | str | None) -> Self:
        """What a caller means: a number, or a cursor `number.epoch`. Raises ValueError otherwise."""
        if after is None:
            return cls()
        text = str(after)
        number, _, epoch = text.partition(".")
        if not number.isascii() or not number.isdigit():
            raise ValueError(f"{text!r} is not a cursor of a stream")
        return cls(number=int(number), epoch=epoch or None)

    @property
    def cursor(self) -> str | None:
        """The form that the server resumes from; naming the epoch catches a log that was set back."""
        if self.number is None:
            return None
        return f"{self.number}.{self.epoch}" if self.epoch else str(self.number)

    def behind(self, frame_id: str | None, epoch: str | None) -> Self | None:
        """The place behind a frame with this id; None when that frame is not news.

        `epoch` is the incarnation that the frame's connection named. It is taken over only here, because a
        server that names another one may yet say that it cannot resume.
        """
        if frame_id is None or not frame_id.isascii() or not frame_id.isdigit():
            return self
        number = int(frame_id)
        if self.number is not None and number <= self.number:
            return None
        return replace(self, number=number, epoch=epoch)

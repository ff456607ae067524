"""What a relay remembers of the turn under way, and how it is rebuilt from the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from sessions_app.events import log
from sessions_app.models import Session, TurnStatus
from sessions_app.services.failures import RUNNER_DISCONNECTED

TEXT_DELTA = "response.output_text.delta"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a memory stood; the text is the list itself, which only grows, and how much of it counts."""

    response_id: str
    is_open: bool
    has_failed: bool
    lost_id: str
    text: list[str]
    parts: int
    calls: Mapping[str, str]


@dataclass(slots=True)
class Memory:
    """What one reading of a runner's stream remembers; touched by the writer's thread only.

    `text` is what was streamed since the last item, `calls` maps each call to the response it belongs to,
    `has_failed` says that this turn's error is stored. `lost_id` names a response that was settled without
    its runner, which may come back and go on with it. A memory `is_broken` once something of its reading was
    not committed: what comes after that must not be either, or the runner would never send the gap again.
    """

    response_id: str = ""
    is_open: bool = False
    has_failed: bool = False
    lost_id: str = ""
    text: list[str] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)
    is_broken: bool = False

    def take_text(self) -> str:
        """What was streamed since the last item, which is an item from now on."""
        text, self.text = "".join(self.text), []
        return text

    def mark(self) -> Mark:
        """Remember this state, for when a transaction fails."""
        return Mark(
            response_id=self.response_id,
            is_open=self.is_open,
            has_failed=self.has_failed,
            lost_id=self.lost_id,
            text=self.text,
            parts=len(self.text),
            calls=dict(self.calls),
        )

    def back_to(self, mark: Mark) -> None:
        """Forget what came after the mark."""
        self.response_id, self.is_open, self.has_failed = mark.response_id, mark.is_open, mark.has_failed
        self.lost_id, self.text, self.calls = mark.lost_id, mark.text, dict(mark.calls)
        del self.text[mark.parts :]


def recall(session: Session) -> Memory:
    """Rebuild the memory of a turn from the log: every delta that is not an item yet is there."""
    newest = list(session.turns.order_by("-id")[:2])
    memory = Memory(response_id=session.active_response_id)
    if newest:
        turn = newest[0]
        memory.response_id = turn.response_id or memory.response_id
        memory.is_open = turn.status == TurnStatus.RUNNING and bool(turn.response_id)
        memory.has_failed = turn.status == TurnStatus.FAILED
        # The newest may have been opened for a message that its runner has not come to yet.
        begun = next((one for one in newest if one.response_id), None)
        if begun is not None and begun.error_code == RUNNER_DISCONNECTED:
            memory.lost_id = begun.response_id
    if session.open_seq is not None:
        memory.text = pending_text(session.pk, session.open_seq - 1)
    return memory


def pending_text(session_id: int, after: int, upto: int | None = None) -> list[str]:
    """The runner's text deltas in the log past `after`, and not past `upto`.

    Text that was posted from elsewhere names its message; a runner's does not.
    """
    parts: list[str] = []
    while entries := log.read(session_id, after):
        shown = [entry for entry in entries if upto is None or entry.seq <= upto]
        deltas = [orjson.loads(entry.data) for entry in shown if entry.type == TEXT_DELTA]
        parts += [delta["delta"] for delta in deltas if delta["message_id"] is None]
        if len(shown) < len(entries):
            break
        after = entries[-1].seq
    return parts

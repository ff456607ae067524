"""Tool calls and harnesses that wait for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from omnigent.runner.parking import Parking

ACTIONS: Final = frozenset({"accept", "decline", "cancel"})


class Declined(Exception):
    """A person declined: the turn ends as cancelled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a person answered."""

    action: str
    content: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Answer | None":
        """The answer in an approval event, None when it has no known action."""
        action, content = data.get("action"), data.get("content")
        if action not in ACTIONS:
            return None
        return cls(action=str(action), content=content if isinstance(content, Mapping) else {})


class Approvals(Parking[Answer]):
    """Elicitations of one session by id. `answer` never raises for want of an answer."""

    async def answer(self, elicitation_id: str, seconds: float) -> Answer:
        """What a person said, `cancel` when nobody did in time."""
        try:
            return await self.wait(elicitation_id, seconds)
        except TimeoutError:
            return Answer(action="cancel")

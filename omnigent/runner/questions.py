"""What a running tool asks a person, and how the answer comes back to it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from omnigent.runner.approvals import Answer

Ask = Callable[[Mapping[str, Mapping[str, Any]]], Awaitable[Mapping[str, Answer]]]
"""Forms by id, in the shape of an elicitation's `params`, to answers by the same ids."""

STATE_PREFIX: Final = "tool_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Forms that a tool waits for; `state` names the round, so that a repeated answer counts once."""

    forms: Mapping[str, Mapping[str, Any]]
    state: str

    def as_result(self) -> dict[str, Any]:
        """The result that the gate passes on to whoever made the call."""
        return {
            "resultType": "input_required",
            "inputRequests": {
                key: {"method": "elicitation/create", "params": dict(form)}
                for key, form in self.forms.items()
            },
            "requestState": self.state,
        }


def is_tools_own(state: object) -> bool:
    """Whether a tool asked and not a policy: a person's no is then for the tool to read."""
    return isinstance(state, str) and state.startswith(STATE_PREFIX)


async def nobody(forms: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Answer]:
    """The answers where there is nobody to ask."""
    return {key: Answer(action="cancel") for key in forms}

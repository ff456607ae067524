"""Messages that came while the turn ran, put into what the model is shown next and kept there."""

from typing import Any

from agents.run_config import CallModelData, ModelInputData

from omnigent.runner.harnesses.engine import Desk
from omnigent.runner.harnesses.responses_wire import input_of


class Steering:
    """The loop builds each request anew from its own items, which only grow; it knows nothing of these."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._added: list[tuple[int, Any]] = []

    def input(self, data: CallModelData[Any]) -> ModelInputData:
        """The loop's input with every steering message where it came in."""
        items = [item for item in data.model_data.input if not _is_lost_thought(item)]
        coming = [{"type": "message", **message} for message in self._desk.steers()]
        self._added += [(len(items), item) for item in input_of(coming)]
        for place, (before, item) in enumerate(self._added):
            items.insert(before + place, item)
        return ModelInputData(input=items, instructions=data.model_data.instructions)


def _is_lost_thought(item: Any) -> bool:
    """Reasoning that the provider would look up by an id under which it has stored nothing."""
    return item.get("type") == "reasoning" and not item.get("encrypted_content")

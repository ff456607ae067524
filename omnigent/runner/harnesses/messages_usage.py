"""The token counts of one answer in Anthropic's Messages protocol."""

from collections.abc import Mapping
from typing import Final

from omnigent.runner.harnesses.base import Usage

COUNTED: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class MessagesUsage:
    """Counts are cumulative within an answer; an event that leaves one out does not reset it."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(COUNTED, 0)
        self._thinking = 0

    def add(self, counts: Mapping[str, int], *, thinking: int) -> None:
        """What an event says, 0 for what it does not say."""
        self._counts |= {name: count for name, count in counts.items() if count}
        self._thinking = thinking or self._thinking

    def of(self, model: str) -> Usage:
        """The usage so far."""
        read, written = self._counts["cache_read_input_tokens"], self._counts["cache_creation_input_tokens"]
        # Here, unlike at other providers, the input count leaves the cached part out.
        input_tokens = self._counts["input_tokens"] + read + written
        return Usage(
            input_tokens=input_tokens,
            output_tokens=self._counts["output_tokens"],
            reasoning_tokens=self._thinking,
            cache_read_input_tokens=read,
            cache_creation_input_tokens=written,
            context_tokens=input_tokens + self._counts["output_tokens"],
            model=model,
        )

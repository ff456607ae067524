"""How much of a model's context window something takes, estimated without the vendors' tokenizers.

Those are loaded over a network that a runner need not have. An estimate that is corrected by what the model
reports after each request is off by a few per cent, and the threshold leaves a fifth of the window.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ModelRequest, Usage

BYTES_PER_TOKEN: Final = 3.6
BINARY_TOKENS: Final = 1_600
"""An image or file costs by its size on screen, not by its bytes."""
ITEM_TOKENS: Final = 6
DEFAULT_WINDOW: Final = 128_000
_BINARY_KEYS: Final = ("image_url", "file_data", "data")
_WINDOWS: Final = (
    ("claude-", 200_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4o", 128_000),
    ("gpt-5", 400_000),
    ("o3", 200_000),
    ("o4", 200_000),
    ("scripted", 1_000_000),
)
_CORRECTION: Final = (0.25, 4.0)


def window_of(model: str, stated: int | None) -> int:
    """The context window in tokens: what the agent states, else what is known of the model's family."""
    if stated is not None:
        return stated
    name = model.rpartition("/")[2]
    return next((size for prefix, size in _WINDOWS if name.startswith(prefix)), DEFAULT_WINDOW)


def item_tokens(item: Mapping[str, Any]) -> int:
    """Tokens of one conversation item."""
    return ITEM_TOKENS + _tokens_of(item)


def items_tokens(items: Iterable[Mapping[str, Any]]) -> int:
    """Tokens of several items."""
    return sum(item_tokens(item) for item in items)


def overhead_tokens(request: ModelRequest) -> int:
    """Tokens of what is sent beside the conversation: instructions and tools."""
    tools = sum(_text(tool.name + tool.description) + _tokens_of(tool.parameters) for tool in request.tools)
    return _text(request.instructions) + tools


class Scale:
    """The factor between estimates and what a model says that it read; one a session."""

    def __init__(self) -> None:
        self._factor = 1.0

    def of(self, estimate: int) -> int:
        """An estimate as the model would count it."""
        return int(estimate * self._factor)

    def learn(self, request: ModelRequest, usage: Usage) -> None:
        """Correct the factor by the usage of one request; a model that tells none changes nothing."""
        read = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        read = max(read, usage.context_tokens - usage.output_tokens)
        estimate = overhead_tokens(request) + items_tokens(request.items)
        if read > 0 and estimate > 0:
            low, high = _CORRECTION
            self._factor = min(max(read / estimate, low), high)


def _tokens_of(value: object) -> int:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        if is_binary(value):
            return BINARY_TOKENS
        return sum(_text(str(key)) + _tokens_of(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return sum(_tokens_of(inner) for inner in value)
    return _text(str(value)) if value is not None else 0


def is_binary(block: Mapping[str, Any]) -> bool:
    """Whether a content block carries bytes."""
    return any(isinstance(block.get(key), str) and len(block[key]) > 256 for key in _BINARY_KEYS)


def _text(text: str) -> int:
    return int(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)

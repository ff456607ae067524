"""Content blocks of messages, and text that can be stored and cut."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from omnigent.protocol.items.errors import InvalidItem

MAX_OUTPUT_BYTES = 1_048_576
"""Longer tool output is cut, with a note."""

TEXT_BLOCKS = ("input_text", "output_text", "text")


def check_blocks(content: Any) -> None:
    """Raise InvalidItem unless this is a list of content blocks; blocks of unknown types pass untouched."""
    if not isinstance(content, list):
        raise InvalidItem("content: must be an array of content blocks")
    for index, block in enumerate(content):
        if not isinstance(block, Mapping):
            raise InvalidItem(f"content[{index}]: must be an object")
        kind = block.get("type")
        if not isinstance(kind, str) or not kind:
            raise InvalidItem(f"content[{index}].type: must be a non-empty string")
        problem = BLOCK_RULES.get(kind, accept)(block)
        if problem:
            raise InvalidItem(f"content[{index}].{problem}")


def accept(block: Mapping[str, Any]) -> str | None:
    """The rule of a block type that we do not know."""
    return None


def text_problem(block: Mapping[str, Any]) -> str | None:
    """What is wrong with a text block."""
    return None if isinstance(block.get("text"), str) else "text: must be a string"


def source_problem(block: Mapping[str, Any], *keys: str) -> str | None:
    """What is wrong with a block that takes its bytes from one of `keys`."""
    given = [key for key in keys if block.get(key) is not None]
    if not given:
        return f"{keys[0]}: one of {', '.join(keys)} is required"
    wrong = [key for key in given if not isinstance(block[key], str)]
    return f"{wrong[0]}: must be a string" if wrong else None


def image_problem(block: Mapping[str, Any]) -> str | None:
    """What is wrong with an image block."""
    return source_problem(block, "image_url", "file_id")


def file_problem(block: Mapping[str, Any]) -> str | None:
    """What is wrong with a file block."""
    if not isinstance(block.get("filename"), str | None):
        return "filename: must be a string"
    return source_problem(block, "file_id", "file_data")


BLOCK_RULES: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = MappingProxyType(
    {
        "input_text": text_problem,
        "output_text": text_problem,
        "input_image": image_problem,
        "input_file": file_problem,
    }
)


def text_of(content: Sequence[Any]) -> str:
    """The text of a message's blocks, one block per line."""
    return "\n".join(
        block["text"]
        for block in content
        if isinstance(block, Mapping)
        and block.get("type") in TEXT_BLOCKS
        and isinstance(block.get("text"), str)
    )


def clip_output(text: str, limit: int = MAX_OUTPUT_BYTES) -> str:
    """Tool output of at most `limit` bytes of UTF-8; what is over is replaced by a note, which fits too."""
    if len(text) * 4 <= limit:
        return text
    data = text.encode(errors="surrogatepass")
    if len(data) <= limit:
        return text
    note = f"\n[Output truncated: {len(data)} bytes, limit {limit}]"
    return data[: limit - len(note)].decode(errors="ignore") + note


def scrub(value: Any) -> Any:
    """A copy in which characters that cannot be stored (NUL, lone surrogates) are U+FFFD and NaN is null."""
    if isinstance(value, str):
        if "\0" not in value and is_encodable(value):
            return value
        cleaned = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return cleaned.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {scrub(key): scrub(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def is_encodable(text: str) -> bool:
    """Whether text has a UTF-8 form, that is no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(value: Any) -> None:
    """Raise InvalidItem when any string, keys included, holds NUL: databases refuse it."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidItem("text must not contain NUL characters")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            check_text(key)
            check_text(one)
    elif isinstance(value, list | tuple):
        for one in value:
            check_text(one)

"""What a model is asked for when the older part of a history is condensed into a summary."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Item = Mapping[str, Any]

REQUEST: Final = (
    "Summarise the conversation so far. Your summary will stand in its place for the assistant that goes on "
    "with it, so keep what that needs: what the user wants, what was decided and why, what was done with "
    "which files and commands and how it came out, what is still open, and names, paths and figures exactly "
    "as they were. Leave out pleasantries and dead ends. Answer with the summary only."
)
MAX_OUTPUT: Final = 2_000


def asked(items: Sequence[Item], fits: Callable[[Sequence[Item]], bool]) -> list[dict[str, str]]:
    """The messages of the request: what was said, as much of its end as fits, and the wish for a summary."""
    said = [message for item in items if (message := _message(item)) is not None]
    start = 0
    while start < len(said) - 1 and not fits(said[start:]):
        start += max(1, (len(said) - start) // 8)
    if start:
        said = [{"role": "user", "content": "[older messages are left out here]"}, *said[start:]]
    return [*said, {"role": "user", "content": REQUEST}]


def _message(item: Item) -> dict[str, str] | None:
    kind = item.get("type")
    if kind == "message":
        role = "assistant" if item.get("role") == "assistant" else "user"
        return {"role": role, "content": _text(item.get("content"))}
    if kind == "function_call":
        arguments = str(item.get("arguments") or "")[:MAX_OUTPUT]
        return {"role": "assistant", "content": f"[calls {item.get('name')}] {arguments}"}
    if kind == "function_call_output":
        return {"role": "user", "content": f"[the tool answered] {str(item.get('output'))[:MAX_OUTPUT]}"}
    return None


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = (block.get("text") if isinstance(block, Mapping) else None for block in blocks)
    return "\n".join(text if isinstance(text, str) else "[attachment]" for text in texts)

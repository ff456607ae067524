"""What a request asked, in no vendor's words, for replies that depend on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """`user_text` is the last message of the user; `tool_outputs` are the results given since then.

    `said` is all of it: pairs of speaker (`user`, `assistant` or `tool`) and text, in order. `wants_form`
    says that the answer has to be an object of a form.
    """

    model: str
    user_text: str
    tool_outputs: tuple[str, ...]
    tools: tuple[str, ...]
    size: int
    said: tuple[tuple[str, str], ...] = ()
    wants_form: bool = False


def plain_text(content: object) -> str:
    """The text of a message's content in any of the three forms."""
    if isinstance(content, str):
        return content
    blocks: Iterable[object] = content if isinstance(content, list) else ()
    return "\n".join(str(block["text"]) for block in blocks if isinstance(block, Mapping) and "text" in block)


def prompt_of(
    body: Mapping[str, Any],
    said: Iterable[tuple[str, str]],
    tools: Iterable[str],
    *,
    wants_form: bool = False,
) -> Prompt:
    """`said` and `wants_form` as in Prompt."""
    user_text = ""
    outputs: list[str] = []
    whole = tuple(said)
    for speaker, text in whole:
        if speaker == "user":
            user_text, outputs = text, []
        elif speaker == "tool":
            outputs.append(text)
    return Prompt(
        model=str(body.get("model", "")),
        user_text=user_text,
        tool_outputs=tuple(outputs),
        tools=tuple(tools),
        size=len(str(body)) // 4,
        said=whole,
        wants_form=wants_form,
    )

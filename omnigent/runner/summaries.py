"""Summaries of a conversation, written by the session's own model with the runner's credentials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnigent.runner.harnesses.base import Model, ModelError, ModelRequest, TextDelta, Usage
from omnigent.runner.history import CURRENT_TURN
from omnigent.runner.turn import TurnSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The text, the tokens that it took to write, and the model that wrote it."""

    text: str
    token_count: int
    model: str


async def summarise(model: Model, settings: TurnSettings, messages: Sequence[Mapping[str, Any]]) -> Summary:
    """What the model answers to `messages`, whose last one asks for the summary. Raises ModelError."""
    items = [item_of(message) for message in messages]
    marked = [*items[:-1], *({**item, CURRENT_TURN: True} for item in items[-1:])]
    request = ModelRequest(model=settings.model, instructions="", items=marked)
    text: list[str] = []
    tokens = 0
    async for event in model.sample(request):
        if isinstance(event, TextDelta):
            text.append(event.text)
        elif isinstance(event, Usage):
            tokens = event.output_tokens
    written = "".join(text).strip()
    if not written:
        raise ModelError("empty_summary", "The model wrote no summary.")
    return Summary(text=written, token_count=tokens, model=settings.model)


def item_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message `{role, content}` as a conversation item; whoever is not the assistant is the user."""
    role = "assistant" if message.get("role") == "assistant" else "user"
    content = message.get("content")
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        return {"type": "message", "role": role, "content": [{"type": kind, "text": content}]}
    return {"type": "message", "role": role, "content": content if isinstance(content, list) else []}

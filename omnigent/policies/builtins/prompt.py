"""Policies written in words, decided by the server's model."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from omnigent.policies.calls import (
    Answer,
    Event,
    allow,
    attached_texts,
    phase_of,
    result_text,
    user_text,
    verdict,
)
from omnigent.policies.server_model import ModelAnswerError, decide, model_of
from omnigent.policies.types import Phase

MAX_TEXT = 100_000
AsyncHandler = Callable[[Event], Awaitable[Answer | None]]

POLICY_REGISTRY: list[dict[str, Any]] = [
    {
        "handler": "omnigent.policies.builtins.prompt.prompt_policy",
        "kind": "factory",
        "name": "Rule in words",
        "description": "Have the server's model decide on every action by a rule written in words.",
        "params_schema": {
            "type": "object",
            "properties": {
                "prompt": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The rule: what to allow, to deny and to ask about.",
                },
                "reason": {
                    "type": "string",
                    "description": "The reason to give; without it, the one that the model gives.",
                },
            },
            "required": ["prompt"],
            "additionalProperties": False,
        },
        "needs": ["llm"],
        "advisory": True,
    }
]


def prompt_policy(*, prompt: str, reason: str | None = None) -> AsyncHandler:
    """Ask about every action that says anything. Without a model on the server it has no opinion.

    The evaluator raises what the model's client raises, and ModelAnswerError when the answer is no verdict.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("prompt must be text")

    async def evaluate(event: Event) -> Answer | None:
        model, text = model_of(event), _text(event)
        if model is None or not text.strip():
            return None
        if len(text) > MAX_TEXT:
            raise ModelAnswerError(f"more than {MAX_TEXT} characters cannot be judged")
        rule = f"You decide whether an action of an AI agent may happen. The rule:\n{prompt}"
        action, why = await decide(model, rule, {f"Action ({phase_of(event)})": text})
        return allow() if action == "allow" else verdict(action, reason or why or "decided by the model")

    return evaluate


def _text(event: Event) -> str:
    """All that the phase says; empty when that is nothing."""
    phase, data = phase_of(event), event.get("data")
    if phase == Phase.REQUEST:
        parts = [user_text(event), *(f"{name}:\n{text}" for name, text in attached_texts(event))]
        return "\n\n".join(part for part in parts if part)
    if phase == Phase.TOOL_RESULT:
        return result_text(event)
    if isinstance(data, str) or not data:
        return data or ""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, default=str)

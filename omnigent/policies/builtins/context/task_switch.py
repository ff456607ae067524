"""Notices a user's message that begins another task, so that a session keeps to one."""

from collections.abc import Awaitable, Callable
from typing import Any

from omnigent.policies.calls import Answer, Event, allow, phase_of, set_state, state_of, user_text, verdict
from omnigent.policies.server_model import classify, model_of
from omnigent.policies.types import Phase

STATE_KEY = "_task_switch_history"
MAX_MESSAGE = 500
QUESTION = (
    "Is the new message of a user a CONTINUATION of the task in the earlier messages, or a TASK_SWITCH to "
    "work that has nothing to do with it?"
)
_ACTIONS = ("ASK", "DENY")
_REASON = "This message seems to begin another task; a new session would keep the two apart."

DETECT_TASK_SWITCH: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.context.detect_task_switch",
    "kind": "factory",
    "description": "Asks or denies when a message begins a task unlike the session's earlier messages.",
    "params_schema": {
        "type": "object",
        "properties": {
            "min_turns": {
                "type": "integer",
                "minimum": 1,
                "default": 1,
                "description": "How many messages must have come before one is compared with them.",
            },
            "history_window": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "default": 10,
                "description": "How many of the last messages are remembered.",
            },
            "action": {
                "type": "string",
                "enum": list(_ACTIONS),
                "default": "ASK",
                "description": "What happens when the task changes.",
            },
            "classification_prompt": {
                "type": "string",
                "minLength": 1,
                "default": QUESTION,
                "description": "The question that the server's model answers: CONTINUATION or TASK_SWITCH.",
            },
        },
        "additionalProperties": False,
    },
    "needs": ["llm"],
    "advisory": True,
}


def detect_task_switch(
    *,
    min_turns: int = 1,
    history_window: int = 10,
    action: str = "ASK",
    classification_prompt: str = QUESTION,
) -> Callable[[Event], Awaitable[Answer | None]]:
    """Compare each message with those before it; after a switch the comparison begins anew."""
    if min_turns < 1 or history_window < min_turns:
        raise ValueError("min_turns must be at least 1 and at most history_window")
    if action not in _ACTIONS:
        raise ValueError("action must be ASK or DENY")

    async def evaluate(event: Event) -> Answer | None:
        model, message = model_of(event), user_text(event).strip()[:MAX_MESSAGE]
        if model is None or phase_of(event) != Phase.REQUEST or not message:
            return None
        stored = state_of(event).get(STATE_KEY)
        history = [str(text) for text in stored] if isinstance(stored, list) else []
        if len(history) >= min_turns:
            texts = {"Earlier messages": "\n---\n".join(history), "New message": message}
            word = await classify(model, classification_prompt, texts, ("CONTINUATION", "TASK_SWITCH"))
            if word == "TASK_SWITCH":
                # An accepted message is the first of the new task; a denied one never reached the agent.
                begun = [message] if action == "ASK" else []
                return verdict(action, _REASON, state_updates=[set_state(STATE_KEY, begun)])
        kept = [*history, message][-history_window:]
        return allow(state_updates=[set_state(STATE_KEY, kept)])

    return evaluate

"""Policies that have the server's model compare what is asked with what is done."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from omnigent.policies.calls import (
    Answer,
    Call,
    Event,
    allow,
    ask,
    call_of,
    context_of,
    deny,
    phase_of,
    set_state,
    state_of,
    user_text,
)
from omnigent.policies.server_model import classify, fingerprint, model_of
from omnigent.policies.types import Phase

TRIVIAL_VERDICTS = "trivial_request_verdicts"
INTENT = "intent_authorization_intent"
INTENT_VERDICTS = "intent_authorization_verdicts"
MAX_REMEMBERED = 100
MAX_INTENT = 1000
MAX_ARGUMENTS = 4000
TRIVIAL_QUESTION = (
    "Is the last message of a user TRIVIAL (small talk, a lookup, a short edit that a small model does well) "
    "or COMPLEX (it needs several steps, judgement or a large context)?"
)
INTENT_QUESTION = (
    "Does the tool call serve the task that the user set (ON_TASK), or does it do something that the task "
    "neither asks for nor needs (OFF_TASK)?"
)
AsyncHandler = Callable[[Event], Awaitable[Answer | None]]

POLICY_REGISTRY: list[dict[str, Any]] = [
    {
        "handler": "omnigent.policies.builtins.routing.deny_trivial_to_expensive_model",
        "kind": "factory",
        "name": "No trivial requests to expensive models",
        "description": "Deny model calls to expensive models when the last message is trivial.",
        "params_schema": {
            "type": "object",
            "properties": {
                "expensive_models": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "minItems": 1,
                    "description": "The exact ids of the models to keep for what needs them.",
                },
                "classification_prompt": {
                    "type": "string",
                    "minLength": 1,
                    "default": TRIVIAL_QUESTION,
                    "description": "The question that the server's model answers with TRIVIAL or COMPLEX.",
                },
            },
            "required": ["expensive_models"],
            "additionalProperties": False,
        },
        "needs": ["llm"],
        "advisory": True,
    },
    {
        "handler": "omnigent.policies.builtins.routing.intent_based_authorization",
        "kind": "factory",
        "name": "Ask on calls beside the task",
        "description": "Ask before a tool call that does not serve the session's first message.",
        "params_schema": {"type": "object", "properties": {}, "additionalProperties": False},
        "needs": ["llm"],
        "advisory": True,
    },
]


def deny_trivial_to_expensive_model(
    *, expensive_models: Sequence[str], classification_prompt: str = TRIVIAL_QUESTION
) -> AsyncHandler:
    """Look at llm_request of the listed models only; each message is judged once."""
    if isinstance(expensive_models, str) or not all(isinstance(model, str) for model in expensive_models):
        raise ValueError("expensive_models must be a list of model ids")
    expensive = frozenset(expensive_models)

    async def evaluate(event: Event) -> Answer | None:
        server_model, data = model_of(event), event.get("data")
        if server_model is None or phase_of(event) != Phase.LLM_REQUEST or not isinstance(data, Mapping):
            return None
        model, message = data.get("model") or context_of(event).get("model"), data.get("last_user_message")
        if model not in expensive or not isinstance(message, str) or not message.strip():
            return None
        key = fingerprint(classification_prompt, message)
        known = _remembered(event, TRIVIAL_VERDICTS)
        word = known.get(key)
        if word is None:
            texts = {"Last message": message}
            word = await classify(server_model, classification_prompt, texts, ("TRIVIAL", "COMPLEX"))
        updates = [_remember(TRIVIAL_VERDICTS, known, key, word)]
        if word == "TRIVIAL":
            return deny(
                f"The message is trivial; use a model cheaper than {model} for it.", state_updates=updates
            )
        return allow(state_updates=updates)

    return evaluate


def intent_based_authorization() -> AsyncHandler:
    """Keep the session's first message as its task, and ask about tool calls that do not serve it."""

    async def evaluate(event: Event) -> Answer | None:
        server_model, call, intent = model_of(event), call_of(event), state_of(event).get(INTENT)
        if phase_of(event) == Phase.REQUEST and not intent:
            text = user_text(event).strip()[:MAX_INTENT]
            return allow(state_updates=[set_state(INTENT, text)]) if text else None
        if server_model is None or call is None or not isinstance(intent, str) or not intent:
            return None
        key = fingerprint(intent, call.name, call.arguments)
        known = _remembered(event, INTENT_VERDICTS)
        word = known.get(key)
        if word is None:
            texts = {"Task": intent, "Tool call": _shown(call)}
            word = await classify(server_model, INTENT_QUESTION, texts, ("ON_TASK", "OFF_TASK"))
        updates = [_remember(INTENT_VERDICTS, known, key, word)]
        if word == "OFF_TASK":
            return ask(f"{call.name} does not seem to serve the task of the session.", state_updates=updates)
        return allow(state_updates=updates)

    return evaluate


def _shown(call: Call) -> str:
    """The call as JSON; of long arguments the beginning and the end."""
    text = json.dumps(call.arguments, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) > MAX_ARGUMENTS:
        half = MAX_ARGUMENTS // 2
        text = f"{text[:half]} [{len(text) - 2 * half} characters left out] {text[-half:]}"
    return f"{call.name} {text}"


def _remembered(event: Event, key: str) -> dict[str, str]:
    known = state_of(event).get(key)
    return dict(known) if isinstance(known, Mapping) else {}


def _remember(state_key: str, known: Mapping[str, str], key: str, word: str) -> dict[str, Any]:
    """Keep the latest verdicts; the oldest leave first."""
    latest = [(item, value) for item, value in known.items() if item != key][1 - MAX_REMEMBERED :]
    return set_state(state_key, dict([*latest, (key, word)]))

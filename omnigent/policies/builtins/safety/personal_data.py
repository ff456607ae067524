"""Keep personal data out of what is sent to a model."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omnigent.policies.builtins.parameters import one_of, texts
from omnigent.policies.calls import Answer, Event, Handler, attached_texts, phase_of, user_text, verdict

SHOWN = 20
_PATTERNS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "ssn": ("social security number", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")),
    "credit_card": ("credit card number", re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")),
    "email": ("email address", re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")),
    "phone": (
        "phone number",
        re.compile(
            r"(?<![\w+])(?:\+|00)\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,3}(?!\d)"
            r"|(?<![\d.-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d-])"
            r"|(?<![\w.-])0\d{1,4}[ ./-]?\d{3,4}[ .-]?\d{3,4}(?![\d-])"
        ),
    ),
}
_ACTIONS = ("DENY", "ASK")


def deny_pii_in_llm_request(*, pii_types: list[str] | None = None, action: str = "DENY") -> Handler:
    """Deny or ask at the first personal datum in a user's message or in a request to a model.

    No types, or only unknown ones, mean all types.
    """
    wanted = texts("pii_types", pii_types or [])
    kinds = [pattern for kind, pattern in _PATTERNS.items() if kind in wanted] or list(_PATTERNS.values())
    decided = one_of("action", action, _ACTIONS)

    def gate(event: Event) -> Answer | None:
        for text in _sent(event):
            for label, pattern in kinds:
                if (found := pattern.search(text)) is not None:
                    return verdict(decided, f"{label} found: {found[0][:SHOWN]}")
        return None

    return gate


def _sent(event: Event) -> Iterator[str]:
    phase = phase_of(event)
    if phase == "request":
        yield user_text(event)
        yield from (text for _name, text in attached_texts(event))
    elif phase == "llm_request":
        data = event.get("data")
        shown = data if isinstance(data, Mapping) else {}
        for key in ("system_prompt_preview", "last_user_message"):
            yield str(shown.get(key) or "")


ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.deny_pii_in_llm_request",
    "kind": "factory",
    "name": "Deny personal data in model requests",
    "description": "Stop messages and model requests that contain personal data.",
    "params_schema": {
        "type": "object",
        "properties": {
            "pii_types": {
                "type": "array",
                "items": {"type": "string", "enum": list(_PATTERNS)},
                "default": [],
                "description": "Which kinds of personal data to look for; none means all.",
            },
            "action": {
                "type": "string",
                "enum": list(_ACTIONS),
                "default": "DENY",
                "description": "Whether to stop the message or to ask.",
            },
        },
        "additionalProperties": False,
    },
}

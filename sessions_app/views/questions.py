"""Pending elicitations as cards: what is asked, about what, and the fields of the answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

JsonObject = Mapping[str, Any]  # events and schemas are whatever the asking side sent

ACTIONS = frozenset({"accept", "decline", "cancel"})
KINDS = frozenset({"string", "number", "integer", "boolean"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One input of a form-mode question."""

    name: str
    label: str
    kind: str
    description: str
    options: tuple[str, ...]
    is_required: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One pending elicitation; `session_id` is the session that has to be answered, perhaps a sub-agent's."""

    id: str
    session_id: str
    message: str
    policy_name: str
    preview: str
    fields: tuple[Field, ...]


def questions(events: Iterable[JsonObject], session_id: str) -> list[Question]:
    """The cards of a snapshot's `pending_elicitations`."""
    return [_question(event, session_id) for event in events]


def find(events: Iterable[JsonObject], session_id: str, elicitation_id: str) -> Question | None:
    """The card of one elicitation, if it still waits."""
    return next((each for each in questions(events, session_id) if each.id == elicitation_id), None)


def content_of(question: Question, posted: Mapping[str, str]) -> dict[str, Any] | None:
    """The answer of a posted form, typed as the question's schema asks; None when it has no fields."""
    content = {
        field.name: _value(field, posted[f"content.{field.name}"])
        for field in question.fields
        if posted.get(f"content.{field.name}", "") != ""
    }
    return content if question.fields else None


def _question(event: JsonObject, session_id: str) -> Question:
    params = event.get("params") or {}
    schema = params.get("requestedSchema")
    return Question(
        id=str(event["elicitation_id"]),
        session_id=params.get("target_session_id") or session_id,
        message=params.get("message") or "The agent asks for permission.",
        policy_name=params.get("policy_name") or "",
        preview=params.get("content_preview") or "",
        fields=_fields(schema) if isinstance(schema, Mapping) else (),
    )


def _fields(schema: JsonObject) -> tuple[Field, ...]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    required = schema.get("required") or ()
    return tuple(
        Field(
            name=name,
            label=str(rules.get("title") or name),
            kind=rules["type"] if rules.get("type") in KINDS else "string",
            description=str(rules.get("description") or ""),
            options=tuple(str(option) for option in rules.get("enum") or ()),
            is_required=name in required,
        )
        for name, rules in properties.items()
        if isinstance(rules, Mapping)
    )


def _value(field: Field, text: str) -> str | int | float | bool:
    try:
        if field.kind == "integer":
            return int(text)
        if field.kind == "number":
            return float(text)
    except ValueError:
        return text
    return text == "true" if field.kind == "boolean" else text

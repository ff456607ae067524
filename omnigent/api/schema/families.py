"""Events and items in the document: unions made from the protocol's own classes, told apart by `type`."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from omnigent.api.schema.models import Schema, tidy
from omnigent.protocol import events, items

TAG = "type"
EVENT = "StreamEvent"
ITEM = "Item"
STORED_ITEM = "StoredItem"
PREFIX = "#/components/schemas/"


def components() -> dict[str, Schema]:
    """All schemas of both families by name."""
    shown = {name: cls for name, cls in events.EVENT_TYPES.items() if name not in events.RUNNER_ONLY}
    named = {name: f"{cls.__name__}Event" for name, cls in shown.items()}
    found = {named[name]: event_schema(name, cls) for name, cls in shown.items()}
    found[EVENT] = union(named, "What a session's stream carries, one JSON object in each `data:` line.")
    for title, build, words in (
        (ITEM, flat_item, "An item with its payload beside its id, and under `data` as well."),
        (STORED_ITEM, nested_item, "An item with its payload under `data`, as in snapshots."),
    ):
        kinds = {name: f"{cls.__name__}{title}" for name, cls in items.ITEM_TYPES.items()}
        found |= {kinds[name]: build(name, cls) for name, cls in items.ITEM_TYPES.items()}
        found[title] = union(kinds, words)
    return found


def union(names: Mapping[str, str], words: str) -> Schema:
    """One of several components, told apart by their tag."""
    places = {tag: f"{PREFIX}{name}" for tag, name in names.items()}
    return {
        "description": words,
        "oneOf": [{"$ref": place} for place in places.values()],
        "discriminator": {"propertyName": TAG, "mapping": places},
    }


def event_schema(name: str, cls: type) -> Schema:
    """An event: every member is there, nulls included."""
    return entity({TAG: {"const": name}, **members(cls)}, description=words_of(cls))


def flat_item(name: str, cls: type) -> Schema:
    """An item of a page; payload members that are null are left out at the top."""
    payload = members(cls)
    head = {**item_head(name), **payload, "data": entity(payload), "created_by": {"type": "string"}}
    always = [*item_head(name), "data"]
    return {**entity(head, description=words_of(cls)), "required": always}


def nested_item(name: str, cls: type) -> Schema:
    """An item of a snapshot."""
    head = {**item_head(name), "data": entity(members(cls)), "created_by": {"type": ["string", "null"]}}
    return entity(head, description=words_of(cls))


def item_head(name: str) -> dict[str, Schema]:
    return {
        "id": {"type": "string"},
        TAG: {"const": name},
        "status": {"type": "string"},
        "response_id": {"type": "string"},
        "created_at": {"type": "integer"},
    }


def entity(properties: Mapping[str, Schema], *, description: str = "") -> Schema:
    """An object that has exactly these members."""
    return {
        "type": "object",
        **({"description": description} if description else {}),
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def members(cls: type) -> dict[str, Schema]:
    """The members of a protocol class under the names that they have in JSON."""
    hints = typing.get_type_hints(cls)
    return {
        field.metadata.get("key", field.name.removesuffix("_")): member(hints[field.name])
        for field in dataclasses.fields(cls)
    }


def member(hint: Any) -> Schema:
    """A member's schema; classes inside it are written out whole."""
    schema: Schema = tidy(TypeAdapter(hint).json_schema(mode="serialization"), is_answer=True)
    parts = schema.pop("$defs", {})
    found: Schema = inlined(schema, parts)
    return found


def inlined(value: Any, parts: Mapping[str, Schema]) -> Any:
    if isinstance(value, list):
        return [inlined(one, parts) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        part = parts[value["$ref"].rpartition("/")[2]]
        return {**inlined(part, parts), "required": list(part["properties"]), "additionalProperties": False}
    return {key: inlined(one, parts) for key, one in value.items()}


def words_of(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())

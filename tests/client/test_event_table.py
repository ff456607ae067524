"""The client's events are the protocol's, member by member, without importing it."""

import dataclasses
import json
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from omnigent.protocol import events as protocol
from omnigent_client import EVENT_TYPES, Event, Record, UnknownEvent
from omnigent_client.events import TERMINAL, read_event

SHOWN = {name: kind for name, kind in protocol.EVENT_TYPES.items() if name not in protocol.RUNNER_ONLY}
OURS_ALONE = {"raw", "cursor"}
EXAMPLES = [
    json.loads(text)
    for text in re.findall(
        r"```json\n(\{.*\})\n```", (Path(__file__).parents[2] / "docs/events.md").read_text()
    )
]


def shape(hint: Any) -> object:
    """What an annotation says about JSON, whatever Python type it picks for it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return str
    if origin in (Union, types.UnionType):
        return frozenset(shape(one) for one in arguments)
    if origin in (list, tuple):
        return ("list", shape(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return ("object", shape(arguments[1]))
    if dataclasses.is_dataclass(hint):
        return tuple(sorted(members(hint).items()))
    return hint


def members(kind: Any) -> dict[str, tuple[object, object]]:
    """Each member of an event class, with its shape and its default."""
    hints = get_type_hints(kind)
    return {
        field.name: (shape(hints[field.name]), field.default)
        for field in dataclasses.fields(kind)
        if field.name not in OURS_ALONE
    }


def test_the_client_knows_every_event_that_clients_are_shown() -> None:
    assert set(EVENT_TYPES) == set(SHOWN)
    assert TERMINAL == protocol.TERMINAL


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_an_event_has_the_members_of_the_protocol(name: str) -> None:
    assert members(EVENT_TYPES[name]) == members(SHOWN[name])


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_every_documented_example_is_read(name: str) -> None:
    [example] = [one for one in EXAMPLES if one["type"] == name]

    event = read_event(example, cursor="7.1")

    assert type(event) is EVENT_TYPES[name]
    assert (event.type, event.cursor, event.raw) == (name, "7.1", example)
    assert event.extra == {"type": name} or event.extra == {}
    for member, value in example.items():
        if member != "type":
            assert plain(getattr(event, member)) == value


def plain(value: Any) -> Any:
    """A decoded value as the JSON that it came from."""
    if isinstance(value, Record):
        return dict(value.raw)
    return [plain(one) for one in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("value", [None, [], "text", 1, {}, {"type": 3}, {"type": "new.event", "a": 1}])
def test_what_is_no_known_event_is_an_unknown_one(value: object) -> None:
    event = read_event(value, name="its-name")

    assert isinstance(event, UnknownEvent)
    assert event.type == ("new.event" if isinstance(value, dict) and "a" in value else "its-name")


def test_events_are_values() -> None:
    event: Event = read_event({"type": "session.title", "conversation_id": "conv_1", "title": "T"})

    assert event == read_event({"title": "T", "type": "session.title", "conversation_id": "conv_1"})
    assert hash(event) == hash(event)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.cursor = "9"  # type: ignore[misc]  # the point of the test

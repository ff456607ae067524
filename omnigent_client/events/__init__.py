"""Everything that a session's stream yields, one frozen dataclass per event type."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from omnigent_client.decoding import Mismatch, build
from omnigent_client.events import response, session
from omnigent_client.events.base import Event, UnknownEvent

__all__ = ["EVENT_TYPES", "TERMINAL", "Event", "UnknownEvent", "read_event", "response", "session"]


def _named(module: ModuleType) -> dict[str, type[Event]]:
    return {
        kind.wire_type: kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Event) and kind.wire_type
    }


EVENT_TYPES: Mapping[str, type[Event]] = MappingProxyType({**_named(session), **_named(response)})
"""Every event type that this version knows, and its class."""

TERMINAL = frozenset({"response.completed", "response.failed", "response.cancelled", "response.incomplete"})
"""Each response ends with exactly one of these."""


def read_event(value: object, *, name: str = "", cursor: str | None = None) -> Event:
    """The event in a decoded frame. Never fails: what it cannot read becomes an UnknownEvent.

    `name` is the frame's own, for data that does not say its type.
    """
    if not isinstance(value, Mapping):
        return UnknownEvent(name=name, cursor=cursor, raw={}, problem="not a JSON object")
    members: Mapping[str, Any] = value
    kind = members.get("type")
    type_ = kind if isinstance(kind, str) else name
    cls = EVENT_TYPES.get(type_)
    if cls is None:
        return UnknownEvent(name=type_, cursor=cursor, raw=members)
    try:
        return build(cls, members, cursor=cursor)
    except Mismatch as error:
        return UnknownEvent(name=type_, cursor=cursor, raw=members, problem=str(error))

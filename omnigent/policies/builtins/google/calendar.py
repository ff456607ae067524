"""The policy over Google Calendar."""

from collections.abc import Sequence

from omnigent.policies.builtins.google import tool_names as known
from omnigent.policies.builtins.parameters import filled_texts, sentence, switch
from omnigent.policies.calls import Answer, Event, Handler, call_of, deny


def gcalendar_policy(
    *,
    allow_read: bool = True,
    allow_create_events: bool = False,
    allow_modify_events: bool = False,
    tool_prefixes: Sequence[str] = known.DEFAULT_PREFIXES,
    deny_reason: str = "",
) -> Handler:
    """Say what an agent may do with calendars; ValueError in words for bad parameters."""
    switches = {
        **dict.fromkeys(known.CALENDAR_READS, switch("allow_read", allow_read)),
        **dict.fromkeys(known.CALENDAR_CREATES, switch("allow_create_events", allow_create_events)),
        **dict.fromkeys(known.CALENDAR_CHANGES, switch("allow_modify_events", allow_modify_events)),
    }
    prefixes, reason = filled_texts("tool_prefixes", tool_prefixes), sentence("deny_reason", deny_reason)

    def evaluate(event: Event) -> Answer | None:
        if (call := call_of(event)) is None:
            return None
        name = known.own_name(call.name, prefixes)
        if not name.startswith(known.CALENDAR_STEMS):
            return None
        if name not in switches:
            return deny(reason or f"{name}: it is not known what this tool does")
        return None if switches[name] else deny(reason or f"{name}: this is not allowed")

    return evaluate

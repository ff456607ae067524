"""Handlers as an operator would bring them along: they say what their parameters say, or fail as told."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]
Evaluator = Callable[[Event], Any]


def says(
    answer: Any = None,
    phases: Sequence[str] = (),
    tools: Sequence[str] = (),
    word: str = "",
) -> Evaluator:
    """Gives `answer` to events of these phases and tools (all, when empty) whose data has `word` in it."""

    def evaluator(event: Event) -> Any:
        is_meant = (
            (not phases or event["type"] in phases)
            and (not tools or event["target"] in tools)
            and word in json.dumps(event["data"])
        )
        return answer if is_meant else None

    return evaluator


def tells(part: str, phases: Sequence[str] = ()) -> Evaluator:
    """Denies, and gives as its reason what it was shown of the event: a dotted path into it, as JSON."""

    def evaluator(event: Event) -> dict[str, str] | None:
        if phases and event["type"] not in phases:
            return None
        shown: Any = event
        for name in part.split("."):
            shown = shown[name]
        return {"result": "DENY", "reason": json.dumps(shown, sort_keys=True)}

    return evaluator


def counts(limit: int = 100, key: str = "calls") -> Evaluator:
    """Lets `limit` events through and counts them."""

    def evaluator(event: Event) -> dict[str, Any]:
        if event["session_state"].get(key, 0) >= limit:
            return {"result": "deny", "reason": f"{limit} are enough"}
        return {"result": "allow", "state_updates": [{"key": key, "action": "increment"}]}

    return evaluator


def raises(event: Event) -> None:
    """Fails."""
    raise RuntimeError(f"no opinion on {event['type']}")


def exits(_event: Event) -> None:
    """Tries to end the server."""
    raise SystemExit(1)


def rewrites_oddly(_event: Event) -> dict[str, Any]:
    """Puts something in the place of the data that has no form as JSON."""
    return {"result": "allow", "data": {"arguments": {"command": {"ls"}}}}


def remembers_oddly(_event: Event) -> dict[str, Any]:
    """Wants to remember something that has no form as JSON."""
    return {"result": "ask", "state_updates": {"seen": object()}}


def hangs(_event: Event) -> None:
    """Takes longer than it may."""
    time.sleep(1.0)


def _entry(name: str, kind: str) -> dict[str, str]:
    return {"handler": f"{__name__}.{name}", "kind": kind, "description": f"Made for tests: {name}."}


POLICY_REGISTRY = [
    *(_entry(name, "factory") for name in ("says", "tells", "counts")),
    *(_entry(name, "callable") for name in ("raises", "exits", "hangs", "rewrites_oddly", "remembers_oddly")),
]

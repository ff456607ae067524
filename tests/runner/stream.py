"""What a test's server has read of one session's events."""

import asyncio
import itertools
import json
from typing import Any

from omnigent.protocol import sse

Json = dict[str, Any]


class Stream:
    """What the server has read of one session's events."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.ids: list[str | None] = []
        self.heartbeats = 0
        self.done = False
        self.acks = True
        self.reader: asyncio.Task[None] | None = None

    def types(self) -> list[str]:
        """The events by type, statuses with their word, calls with theirs, and runs of deltas as one."""
        shown = [_short(event) for event in self.events]
        return [key for key, _ in itertools.groupby(shown)]

    def text(self) -> str:
        return "".join(e["delta"] for e in self.events if e["type"] == "response.output_text.delta")

    def of_type(self, event_type: str) -> list[Json]:
        return [event for event in self.events if event["type"] == event_type]

    def outputs(self) -> list[str]:
        """What the finished tool calls answered."""
        items = [event["item"] for event in self.of_type("response.output_item.done")]
        return [item["output"] for item in items if item["type"] == "function_call_output"]

    def note(self, message: sse.Message) -> None:
        """Take one message of the stream."""
        if message.is_done:
            self.done = True
            return
        event = json.loads(message.data)
        if event["type"] == "session.heartbeat":
            self.heartbeats += 1
        else:
            self.events.append(event)
            self.ids.append(message.id)


def _short(event: Json) -> str:
    if event["type"] == "session.status":
        return f"status {event['status']}"
    if event["type"] == "response.output_item.done":
        item = event["item"]
        return f"{item['type']} {item['status']}"
    return str(event["type"]).removeprefix("response.")

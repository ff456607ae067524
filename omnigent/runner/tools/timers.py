"""`sys_timer_set` and `sys_timer_cancel`: an agent wakes itself later. Timers end with the process."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.rooms import Home
from omnigent.runner.tools.answers import as_json, optional_text, schema_of
from omnigent.runner.tools.asynchronous import wake
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, number_argument, text_argument
from omnigent.runner.tools.tasks import Tasks
from omnigent.spec.types import AgentSpec

MOST_TIMERS: Final = 50
LONGEST_SECONDS: Final = 7 * 86_400.0
SHORTEST_REPEAT_SECONDS: Final = 10.0


class Timers:
    """The timers of one session."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._tasks = Tasks(most=MOST_TIMERS, refusal=f"a session has at most {MOST_TIMERS} timers")

    @property
    def has_work(self) -> bool:
        """Whether one is set."""
        return bool(self._tasks)

    async def close(self) -> None:
        await self._tasks.close()

    def start(self, seconds: float, note: str, *, repeat: bool) -> str:
        """Begin a timer; its id. Raises ToolError when there are too many."""
        self._tasks.require_room()
        timer_id = f"timer_{secrets.token_hex(8)}"
        self._tasks.start(timer_id, self._run(timer_id, seconds, note, repeat))
        return timer_id

    def cancel(self, timer_id: str) -> bool:
        """End a timer; false when there is none of this id."""
        return self._tasks.cancel(timer_id) is not None

    async def _run(self, timer_id: str, seconds: float, note: str, repeat: bool) -> None:  # noqa: FBT001 - a tool's argument handed on
        times = 0
        while times == 0 or repeat:
            await asyncio.sleep(seconds)
            times += 1
            text = f"[System: timer {timer_id} fired after {seconds:g} s]{f' {note}' if note else ''}"
            await wake(self._home.runtime.api, self._home.session_id, text, delivery=f"{timer_id}/{times}")


class SetTimer:
    """Answers `{timer_id, seconds, repeat}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_timer_set",
        description="Have a message sent to this session after some seconds, which starts its next turn.",
        parameters=schema_of(
            ("seconds",),
            seconds={"type": "number"},
            repeat={"type": "boolean", "default": False},
            note={"type": "string", "description": "What the message is to say."},
        ),
    )

    async def run(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        if arguments.get("seconds") is None:
            raise ToolError("seconds: a number is required")
        seconds = number_argument(arguments, "seconds", 0)
        repeat = arguments.get("repeat", False)
        if not isinstance(repeat, bool):
            raise ToolError("repeat: true or false is required")
        if seconds > LONGEST_SECONDS or (repeat and seconds < SHORTEST_REPEAT_SECONDS):
            raise ToolError(
                f"seconds: at most {LONGEST_SECONDS:g}, and at least {SHORTEST_REPEAT_SECONDS:g} to repeat"
            )
        note = optional_text(arguments, "note") or ""
        timer_id = context.rooms.of(Timers).start(seconds, note, repeat=repeat)
        return as_json({"timer_id": timer_id, "seconds": seconds, "repeat": repeat})


class CancelTimer:
    """Answers `{timer_id, cancelled}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_timer_cancel",
        description="End a timer.",
        parameters=schema_of(("timer_id",), timer_id={"type": "string"}),
    )

    async def run(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        timer_id = text_argument(arguments, "timer_id")
        return as_json({"timer_id": timer_id, "cancelled": context.rooms.of(Timers).cancel(timer_id)})


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """The tools of an agent whose specification has `timers: true`."""
    return {tool.schema.name: tool for tool in (SetTimer(), CancelTimer())} if spec.timers else {}

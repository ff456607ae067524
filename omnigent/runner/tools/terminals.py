"""`sys_terminal_*`: programs on screens of their own, which go on between calls."""

from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.keys import keys_of
from omnigent.runner.terminals.opening import SANDBOXES, Wish, open_terminal
from omnigent.runner.terminals.pane import Pane
from omnigent.runner.terminals.room import Terminals
from omnigent.runner.tools.answers import as_json, optional_text, schema_of, whole_number
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.spec.types import AgentSpec

_TERMINAL: Final = {"type": "string", "description": "The name of a terminal that the agent declares."}
_SESSION: Final = {"type": "string", "description": "A name for this one among terminals of the kind."}
MOST_SCROLLBACK: Final = 100_000


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """These tools, when the agent declares terminals."""
    tools: tuple[Tool, ...] = (Launch(spec), Send(), Read(), List(), Close())
    return {tool.schema.name: tool for tool in tools} if spec.terminals else {}


def _pane(arguments: Mapping[str, Any], context: ToolContext) -> Pane:
    name, key = text_argument(arguments, "terminal"), text_argument(arguments, "session")
    pane = context.rooms.of(Terminals).find(name, key)
    if pane is None:
        raise ToolError(f"the terminal {name[:64]}/{key[:64]} is not open, or it has ended")
    return pane


def _shown(pane: Pane) -> dict[str, Any]:
    return {
        "id": pane.label.resource_id,
        "terminal": pane.label.name,
        "session": pane.label.key,
        "running": not pane.exited,
        "exit_status": pane.exit_status,
    }


class Launch:
    """Opens a terminal."""

    mutates = True

    def __init__(self, spec: AgentSpec) -> None:
        self.schema = ToolSchema(
            name="sys_terminal_launch",
            description="Start a program in a new terminal, which stays open between calls.",
            parameters=schema_of(
                ("terminal", "session"),
                terminal={**_TERMINAL, "enum": list(spec.terminals)},
                session=_SESSION,
                cwd={"type": "string", "description": "Another directory, where the terminal allows it."},
                sandbox={"type": "string", "enum": list(SANDBOXES)},
            ),
        )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        wish = Wish(
            name=text_argument(arguments, "terminal"),
            key=text_argument(arguments, "session"),
            cwd=optional_text(arguments, "cwd"),
            sandbox=optional_text(arguments, "sandbox"),
        )
        try:
            return as_json(_shown(await open_terminal(wish, context)))
        except TerminalError as exc:
            raise ToolError(str(exc)) from exc


class Send:
    """Types and presses keys."""

    mutates = True
    schema = ToolSchema(
        name="sys_terminal_send",
        description="Type text into a terminal, then press keys. What comes of it is on the screen.",
        parameters=schema_of(
            ("terminal", "session"),
            terminal=_TERMINAL,
            session=_SESSION,
            text={"type": "string", "description": "Typed as it is."},
            keys={
                "type": "string",
                "description": "Keys pressed after the text, apart by spaces, such as Escape, Up or C-c; "
                "Enter by default, empty for none.",
            },
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        pane = _pane(arguments, context)
        text = optional_text(arguments, "text")
        names = arguments.get("keys", "Enter")
        if not isinstance(names, str):
            raise ToolError("keys: a string is required")
        try:
            keys = keys_of(names)
            if text is not None:
                await pane.type(text)
            if keys:
                await pane.press(*keys)
        except TerminalError as exc:
            raise ToolError(str(exc)) from exc
        return as_json({**_shown(pane), "sent": True})


class Read:
    """Returns the screen."""

    mutates = False
    schema = ToolSchema(
        name="sys_terminal_read",
        description="Read the screen of a terminal.",
        parameters=schema_of(
            ("terminal", "session"),
            terminal=_TERMINAL,
            session=_SESSION,
            scrollback={"type": "integer", "description": "Lines from above the screen, 0 by default."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        pane = _pane(arguments, context)
        lines = whole_number(arguments, "scrollback", 0, 0, MOST_SCROLLBACK)
        try:
            return as_json({**_shown(pane), "screen": await pane.screen(lines)})
        except TerminalError as exc:
            raise ToolError(str(exc)) from exc


class List:
    """Names what is open."""

    mutates = False
    schema = ToolSchema(
        name="sys_terminal_list",
        description="List the terminals that are open, and the kinds that can be launched.",
        parameters=schema_of(),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        panes = context.rooms.of(Terminals).all()
        return as_json(
            {"terminals": [_shown(pane) for pane in panes], "declared": list(context.spec.terminals)}
        )


class Close:
    """Ends a terminal with everything in it."""

    mutates = True
    schema = ToolSchema(
        name="sys_terminal_close",
        description="End the program of a terminal and close it.",
        parameters=schema_of(("terminal", "session"), terminal=_TERMINAL, session=_SESSION),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        pane = _pane(arguments, context)
        await context.rooms.of(Terminals).end(pane)
        return as_json({**_shown(pane), "closed": True})

"""What a tool is: a schema for the model and a coroutine that answers with text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.api import ServerApi
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.questions import Ask, nobody
from omnigent.runner.rooms import Rooms
from omnigent.runner.tools.reaper import Reaper
from omnigent.runner.workspace import Workspace
from omnigent.spec.types import AgentSpec


class ToolError(Exception):
    """The call failed; the message is the output that the model reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolContext:
    """What a call may use: its workspace, the environment of child processes and who ends them, the server,
    which knows the session by this id, what the session keeps between calls, and its agent; `spec` is the
    part of the agent that this session runs, which for a sub-agent is not the root. `ask` puts forms to a
    person while the call goes on.
    """

    workspace: Workspace
    environment: Mapping[str, str]
    reaper: Reaper
    api: ServerApi
    session_id: str
    rooms: Rooms
    agent: LoadedAgent
    spec: AgentSpec
    ask: Ask = nobody


class Tool(Protocol):
    """One built-in tool. `mutates` tells that files may have changed afterwards."""

    schema: ToolSchema
    mutates: bool

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """The output; raises ToolError. Cancelling ends everything that the call started."""
        ...


def text_argument(arguments: Mapping[str, Any], name: str) -> str:
    """A required string argument; raises ToolError."""
    value = arguments.get(name)
    if not isinstance(value, str):
        raise ToolError(f"{name}: a string is required")
    return value


def number_argument(arguments: Mapping[str, Any], name: str, default: float) -> float:
    """A positive number, also when a model wrote it as a string; raises ToolError."""
    value = arguments.get(name)
    if value is None:
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ToolError(f"{name}: a number is required") from None
    if not 0 < number < float("inf"):
        raise ToolError(f"{name}: a positive number is required")
    return number

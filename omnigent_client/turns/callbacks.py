"""What a caller of a turn may hand in: approval answers, tools, a look at every event."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from omnigent_client.events import Event
from omnigent_client.events.response import ElicitationRequest

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """Something that a person must approve or fill in before the turn goes on.

    `session_id` is the session to answer to, which is a sub-agent's when a sub-agent asks. `mode` is url for
    a plain yes or no, form when `requested_schema` describes a `content` to fill in.
    """

    elicitation_id: str
    session_id: str
    message: str = ""
    mode: str = "url"
    phase: str | None = None
    policy_name: str | None = None
    content_preview: str | None = None
    requested_schema: Mapping[str, Any] = field(default_factory=dict)
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """accept; decline, which also interrupts the turn; or cancel, which only refuses the action."""

    action: Literal["accept", "decline", "cancel"]
    content: Mapping[str, Any] | None = None


Answer = bool | Verdict | None
"""True accepts, False declines, None leaves the question to somebody else."""

OnApproval = Callable[[Approval], Answer | Awaitable[Answer]]
OnEvent = Callable[[Event], Awaitable[None] | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientTool:
    """A tool that the agent may call and this client runs.

    `parameters` is a JSON schema of an object; `run` gets that object's members as keyword arguments and
    returns a text or anything that JSON can say. What it raises is told to the agent.
    """

    name: str
    run: Callable[..., Any]  # arguments and result are the tool's own
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})

    @property
    def spec(self) -> dict[str, Any]:
        """How the server is told of it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }


async def invoke(
    function: Callable[..., T | Awaitable[T]], *args: Any, **kwargs: Any
) -> T:  # the function's own
    """Call a callback: a coroutine function here, a plain one in a thread, so that it may block."""
    if inspect.iscoroutinefunction(function):
        found: T = await function(*args, **kwargs)
        return found
    result = await asyncio.to_thread(function, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


async def run_tool(tool: ClientTool, arguments: str) -> str:
    """The output of one call; `arguments` is the model's JSON text."""
    try:
        given = json.loads(arguments or "{}")
        if not isinstance(given, dict):
            raise TypeError("arguments are a JSON object")
        output = await invoke(tool.run, **given)
        return output if isinstance(output, str) else json.dumps(output)
    except Exception as error:  # noqa: BLE001  # foreign code; the agent is told and may try otherwise
        return f"Error: {type(error).__name__}: {error}"


def approval_of(event: ElicitationRequest, session_id: str) -> Approval:
    """What a callback is shown of a request on this session's stream."""
    params = event.params
    return Approval(
        elicitation_id=event.elicitation_id,
        session_id=str(params.get("target_session_id") or session_id),
        message=str(params.get("message") or ""),
        mode=str(params.get("mode") or "url"),
        phase=params.get("phase"),
        policy_name=params.get("policy_name"),
        content_preview=params.get("content_preview"),
        requested_schema=params.get("requestedSchema") or {},
        url=params.get("url"),
    )


def verdict_of(answer: Answer) -> Verdict | None:
    """What an answer means; None for one that is left to somebody else."""
    if isinstance(answer, Verdict) or answer is None:
        return answer
    return Verdict(action="accept" if answer else "decline")

"""The runner's HTTP API, which the server calls through the tunnel: one row per route."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from omnigent.protocol.frames import EVENT_ACK_HEADER
from omnigent.runner import resources, skills
from omnigent.runner.agents import AgentInvalid, AgentMissing
from omnigent.runner.api import ServerRefused, ServerUnreachable
from omnigent.runner.control import EVENTS
from omnigent.runner.environments import routes as environments
from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.http import EVENT_STREAM, Call, Refusal, Responder
from omnigent.runner.profile import PROTOCOL_VERSION
from omnigent.runner.session import LiveSession
from omnigent.runner.sessions import Sessions
from omnigent.runner.workspace import OutsideWorkspaceError
from omnigent.spec.calling import UnknownSkill

Handler = Callable[[Sessions, Call, Responder], Awaitable[None]]


async def health(sessions: Sessions, call: Call, respond: Responder) -> None:
    await respond.json(200, {"status": "ok", "sessions": len(sessions)})


async def create_session(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Prepare a session; the same again is answered the same."""
    body = call.json()
    session_id = body.get("session_id")
    if not isinstance(session_id, str) or not session_id:
        raise Refusal(400, "invalid_input", "session_id is required")
    session = sessions.open(session_id)
    try:
        await session.initialise(body)
        await environments.begin(sessions, session_id)
    except AgentMissing as exc:
        raise Refusal(410, "session_agent_missing", str(exc)) from exc
    except AgentInvalid as exc:
        raise Refusal(400, "invalid_agent", str(exc)) from exc
    except (ServerRefused, ServerUnreachable) as exc:
        raise Refusal(503, "server_unreachable", str(exc)) from exc
    answer = {"session_init_protocol_version": PROTOCOL_VERSION, "terminal_ready": False}
    await respond.json(201, session.describe() | answer)


async def get_session(sessions: Sessions, call: Call, respond: Responder) -> None:
    await respond.json(200, _known(sessions, call).describe())


async def delete_session(sessions: Sessions, call: Call, respond: Responder) -> None:
    await sessions.delete(call.session_id)
    await respond.json(200, {"session_id": call.session_id, "object": "session.deleted", "deleted": True})


async def stream(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Events without end; the session is made when it is unknown, because subscribing may come first."""
    uplink = sessions.open(call.session_id).uplink
    events = uplink.subscribe(
        acknowledges=call.header(EVENT_ACK_HEADER) == "1", last_event_id=call.header("Last-Event-ID")
    )
    try:
        await respond.head(200, EVENT_STREAM)
        async for chunk in events:
            await respond.body(chunk, EVENT_STREAM)
    finally:
        await events.aclose()
    await respond.end()


async def post_event(sessions: Sessions, call: Call, respond: Responder) -> None:
    """One event of the server; admission happens before anything is awaited, so that order is kept."""
    body = call.json()
    event_type = body.get("type")
    handle = EVENTS.get(event_type) if isinstance(event_type, str) else None
    if handle is None:
        raise Refusal(400, "invalid_input", f"unknown event type {event_type!r}")
    status, answer = handle(sessions, call.session_id, body)
    if answer is None:
        await respond.empty(status)
    else:
        await respond.json(status, answer)


async def reset_state(sessions: Sessions, call: Call, respond: Responder) -> None:
    _known(sessions, call).reset()
    await respond.json(200, {"session_id": call.session_id, "object": "session.state_reset", "reset": True})


async def reset_agent(sessions: Sessions, call: Call, respond: Responder) -> None:
    _known(sessions, call).bench.equipment.forget_agent()
    await respond.json(200, {"session_id": call.session_id, "reset": True})


async def summarise(sessions: Sessions, call: Call, respond: Responder) -> None:
    """A summary of messages, by the model of the session that is named."""
    body = call.json()
    session_id, messages, model = body.get("session_id"), body.get("messages"), body.get("model")
    if not isinstance(session_id, str) or not session_id:
        raise Refusal(400, "invalid_input", "session_id is required")
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise Refusal(400, "invalid_input", "messages must be a list of objects")
    try:
        summary = await sessions.open(session_id).bench.summary(
            messages, model if isinstance(model, str) else None
        )
    except ModelError as exc:
        raise Refusal(502, exc.code, exc.message) from exc
    except (AgentMissing, AgentInvalid) as exc:
        raise Refusal(410, "session_agent_missing", str(exc)) from exc
    except (ServerRefused, ServerUnreachable) as exc:
        raise Refusal(503, "server_unreachable", str(exc)) from exc
    await respond.json(
        200, {"text": summary.text, "token_count": summary.token_count, "model": summary.model}
    )


async def resolve_skill(sessions: Sessions, call: Call, respond: Responder) -> None:
    """What a skill of the session's agent says when it is called."""
    body = call.json()
    name, arguments = body.get("name"), body.get("arguments", "")
    if not isinstance(name, str) or not name or not isinstance(arguments, str):
        raise Refusal(400, "invalid_input", "name and arguments must be texts")
    try:
        agent = await sessions.open(call.session_id).bench.equipment.agent()
        await respond.json(200, {"meta_text": skills.resolve(agent, name, arguments)})
    except UnknownSkill as exc:
        missing = {"error": "skill_not_found", "detail": str(exc), "available": list(exc.available)}
        await respond.json(404, missing)
    except (AgentMissing, AgentInvalid) as exc:
        raise Refusal(410, "session_agent_missing", str(exc)) from exc
    except (ServerRefused, ServerUnreachable) as exc:
        raise Refusal(503, "server_unreachable", str(exc)) from exc


async def execute_tool(sessions: Sessions, call: Call, respond: Responder) -> None:
    """A tool call that the server let pass."""
    body = call.json()
    try:
        toolbox = await sessions.open(call.session_id).bench.equipment.toolbox()
    except (AgentMissing, AgentInvalid, OutsideWorkspaceError) as exc:
        await respond.json(200, {"error": {"code": -32603, "message": str(exc)}})
        return
    except (ServerRefused, ServerUnreachable) as exc:
        raise Refusal(503, "server_unreachable", str(exc)) from exc
    await environments.begun(toolbox.context)
    await respond.json(200, await toolbox.execute(body))


def _known(sessions: Sessions, call: Call) -> LiveSession:
    session = sessions.find(call.session_id)
    if session is None:
        raise Refusal(404, "not_found", f"session {call.session_id} is unknown to this runner")
    return session


@dataclass(frozen=True, slots=True)
class Route:
    """`streams` marks the endless ones, which do not keep the runner from being idle."""

    method: str
    pattern: re.Pattern[str]
    handle: Handler
    streams: bool = False


def _route(method: str, path: str, handle: Handler, **options: Any) -> Route:
    pattern = re.escape(path).replace(re.escape("{id}"), "(?P<id>[A-Za-z0-9_-]{1,64})")
    pattern = pattern.replace(re.escape("{resource}"), "[A-Za-z0-9_-]{1,200}")
    pattern = pattern.replace(re.escape("/{path}"), "(?:/.*)?")
    return Route(method, re.compile(pattern, re.DOTALL), handle, **options)


_ENVIRONMENT: Final = "/v1/sessions/{id}/resources/environments/{resource}"

ROUTES: Final = (
    _route("GET", "/health", health),
    _route("POST", "/v1/sessions", create_session),
    _route("GET", "/v1/sessions/{id}", get_session),
    _route("DELETE", "/v1/sessions/{id}", delete_session),
    _route("GET", "/v1/sessions/{id}/stream", stream, streams=True),
    _route("POST", "/v1/sessions/{id}/events", post_event),
    _route("POST", "/v1/sessions/{id}/reset-state", reset_state),
    _route("POST", "/v1/sessions/{id}/agent-cache/reset", reset_agent),
    _route("POST", "/v1/sessions/{id}/mcp/execute", execute_tool),
    _route("POST", "/v1/sessions/{id}/skills/resolve", resolve_skill),
    _route("GET", "/v1/sessions/{id}/resources", environments.list_resources),
    _route("GET", "/v1/sessions/{id}/resources/environments", environments.list_environments),
    _route("GET", _ENVIRONMENT, environments.get_environment),
    _route("GET", f"{_ENVIRONMENT}/filesystem/{{path}}", environments.read),
    _route("PUT", f"{_ENVIRONMENT}/filesystem/{{path}}", environments.write),
    _route("PATCH", f"{_ENVIRONMENT}/filesystem/{{path}}", environments.edit),
    _route("DELETE", f"{_ENVIRONMENT}/filesystem/{{path}}", environments.delete),
    _route("GET", f"{_ENVIRONMENT}/search/{{path}}", environments.search),
    _route("GET", f"{_ENVIRONMENT}/changes", environments.changes),
    _route("GET", f"{_ENVIRONMENT}/diff/{{path}}", environments.diff),
    _route("POST", f"{_ENVIRONMENT}/shell", environments.shell),
    _route("GET", "/v1/sessions/{id}/resources/terminals", resources.list_terminals),
    _route("POST", "/v1/sessions/{id}/resources/terminals", resources.create_terminal),
    _route("GET", "/v1/sessions/{id}/resources/terminals/{resource}", resources.get_terminal),
    _route("DELETE", "/v1/sessions/{id}/resources/terminals/{resource}", resources.delete_terminal),
    _route("POST", "/v1/summarize", summarise),
)


def route_of(method: str, path: str) -> tuple[Route, str] | None:
    """The route of a request and the session id in its path."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path) if route.method == method.upper() else None
        if match:
            return route, match.groupdict().get("id") or ""
    return None

"""Routes of the runner about what a session has open on this machine: its terminals."""

from collections.abc import Mapping
from typing import Any

from omnigent.runner.agents import AgentInvalid, AgentMissing
from omnigent.runner.api import ServerRefused, ServerUnreachable
from omnigent.runner.http import Call, Responder
from omnigent.runner.sessions import Sessions
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.opening import UndeclaredTerminal, Wish, open_terminal
from omnigent.runner.terminals.pane import Pane
from omnigent.runner.terminals.room import DEFAULT_KEY, Terminals
from omnigent.runner.workspace import OutsideWorkspaceError


async def list_terminals(sessions: Sessions, call: Call, respond: Responder) -> None:
    """All of them, the first opened first; a session that this process does not know has none."""
    session = sessions.find(call.session_id)
    rows = [pane.resource() for pane in session.bench.rooms.of(Terminals).all()] if session else []
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
    await respond.json(200, {"object": "list", "data": rows, **ends, "has_more": False})


async def create_terminal(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Open a terminal that the agent declares; one that is open already is the answer as it is."""
    wish = _wish(call.json())
    if isinstance(wish, str):
        await _refuse(respond, 400, "invalid_input", wish)
        return
    bench = sessions.open(call.session_id).bench
    pane = bench.rooms.of(Terminals).find(wish.name, wish.key)
    try:
        if pane is None or pane.exited:
            pane = await open_terminal(wish, (await bench.equipment.toolbox()).context)
    except (AgentMissing, AgentInvalid) as exc:
        await _refuse(respond, 410, "session_agent_missing", str(exc))
    except (ServerRefused, ServerUnreachable) as exc:
        await _refuse(respond, 503, "server_unreachable", str(exc))
    except (UndeclaredTerminal, OutsideWorkspaceError) as exc:
        await _refuse(respond, 400, "invalid_input", str(exc))
    except TerminalError as exc:
        await _refuse(respond, 409, "conflict", str(exc))
    else:
        await respond.json(200, pane.resource())


async def get_terminal(sessions: Sessions, call: Call, respond: Responder) -> None:
    pane = _find(sessions, call)
    if pane is None:
        await _missing(respond, call)
    else:
        await respond.json(200, pane.resource())


async def delete_terminal(sessions: Sessions, call: Call, respond: Responder) -> None:
    """End it with everything in it."""
    session, pane = sessions.find(call.session_id), _find(sessions, call)
    if session is None or pane is None:
        await _missing(respond, call)
        return
    await session.bench.rooms.of(Terminals).end(pane)
    answer = {"id": pane.label.resource_id, "object": "session.resource.deleted", "deleted": True}
    await respond.json(200, answer)


def _wish(body: Mapping[str, Any]) -> Wish | str:
    """What the body asks for, or what is wrong with it."""
    fields = {"terminal": None, "session_key": DEFAULT_KEY, "cwd": None, "sandbox": None}
    given = {name: body.get(name) or default for name, default in fields.items()}
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            return f"{name} must be a text"
    if given["terminal"] is None:
        return "terminal is required"
    return Wish(
        name=given["terminal"], key=str(given["session_key"]), cwd=given["cwd"], sandbox=given["sandbox"]
    )


def _find(sessions: Sessions, call: Call) -> Pane | None:
    session = sessions.find(call.session_id)
    return session.bench.rooms.of(Terminals).get(_terminal_id(call)) if session else None


def _terminal_id(call: Call) -> str:
    return call.request.path.rpartition("/")[2]


async def _missing(respond: Responder, call: Call) -> None:
    await _refuse(respond, 404, "not_found", f"Terminal '{_terminal_id(call)}' not found")


async def _refuse(respond: Responder, status: int, code: str, message: str) -> None:
    """An error in the form of resource routes."""
    await respond.json(status, {"error": {"code": code, "message": message}})

"""Routes of the runner about a session's environment: its files, what changed in them, and its shell."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final
from urllib.parse import unquote

from omnigent.runner.agents import AgentInvalid, AgentMissing
from omnigent.runner.api import ServerRefused, ServerUnreachable
from omnigent.runner.cleantext import clean
from omnigent.runner.environments.desk import Desk
from omnigent.runner.environments.download import download
from omnigent.runner.environments.metadata import DEFAULT, described, of_terminal, primary
from omnigent.runner.http import Call, Refusal, Responder
from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.room import Confinement
from omnigent.runner.sessions import Sessions
from omnigent.runner.terminals.room import Terminals
from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.command import MAX_TIMEOUT, SHELL, run_command
from omnigent.runner.workspace import OutsideWorkspaceError
from omnigent.workspace.errors import Refused, invalid
from omnigent.workspace.names import BadPath, Parts, parts_of
from omnigent.workspace.reading import content_of

Handler = Callable[[Sessions, Call, Responder], Awaitable[None]]
DEFAULT_TIMEOUT: Final = 120.0
_ENVIRONMENTS: Final = "/resources/environments/"
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no"})


def enveloped(handle: Handler) -> Handler:
    """Answers a refusal in the form of resource routes: `{"error": {"code", "message"}}`."""

    @wraps(handle)
    async def guarded(sessions: Sessions, call: Call, respond: Responder) -> None:
        try:
            await handle(sessions, call, respond)
        except Refused as exc:
            await _refuse(respond, exc)
        except Refusal as exc:
            await _refuse(respond, Refused(exc.status, exc.code, exc.detail))
        except SandboxError as exc:
            await _refuse(respond, Refused(409, "conflict", str(exc)))
        except (AgentMissing, AgentInvalid) as exc:
            await _refuse(respond, Refused(410, "session_agent_missing", str(exc)))
        except (ServerRefused, ServerUnreachable) as exc:
            await _refuse(respond, Refused(503, "server_unreachable", str(exc)))
        except OutsideWorkspaceError as exc:
            await _refuse(respond, invalid(str(exc)))

    return guarded


@enveloped
async def list_resources(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Environments and terminals, or those of one `type`."""
    kind = call.query("type")
    environments, terminals = await _resources(sessions, call)
    rows = [row for row in (*environments, *terminals) if kind in {None, row["type"]}]
    await _list(respond, rows)


@enveloped
async def list_environments(sessions: Sessions, call: Call, respond: Responder) -> None:
    """The agent's own first, then one for each terminal."""
    await _list(respond, (await _resources(sessions, call))[0])


@enveloped
async def get_environment(sessions: Sessions, call: Call, respond: Responder) -> None:
    """One of them; the agent's own with where it is and what is reached there."""
    name, _ = _named(call)
    rows = {row["id"]: row for row in (await _resources(sessions, call))[0]}
    if name not in rows:
        raise _unknown(name)
    row = rows[name]
    context = await _context(sessions, call)
    await respond.json(200, await described(row, context) if name == DEFAULT else row)


@enveloped
async def read(sessions: Sessions, call: Call, respond: Responder) -> None:
    """A page of a directory, what a file holds, or with `download` its bytes."""
    context, path = await _environment(sessions, call)
    desk = context.rooms.of(Desk)
    parts = _parts(path, context)
    opened = await desk.opened(path, context)
    if opened is None:
        if _flag(call, "download"):
            raise invalid(f"Path '{'/'.join(parts)}' is a directory")
        await respond.json(200, await desk.do(_listing(path, call), context))
        return
    try:
        if _flag(call, "download"):
            await download(opened, parts, call, respond)
        else:
            await respond.json(200, await asyncio.to_thread(content_of, opened, parts))
    finally:
        os.close(opened)


@enveloped
async def write(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Put a file in its place."""
    await _change("write", sessions, call, respond, call.json())


@enveloped
async def edit(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Replace text in a file."""
    await _change("edit", sessions, call, respond, call.json())


@enveloped
async def delete(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Take a file or a directory away."""
    await _change("delete", sessions, call, respond, {"recursive": _flag(call, "recursive")})


@enveloped
async def search(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Files by name, or lines by content."""
    context, path = await _environment(sessions, call)
    fields = {name: call.query(name) for name in ("q", "include", "exclude", "mode")}
    request = {"do": "search", "path": path, "limit": _number(call, "limit"), **fields}
    await respond.json(200, await context.rooms.of(Desk).do(request, context))


@enveloped
async def changes(sessions: Sessions, call: Call, respond: Responder) -> None:
    """What differs from the last commit, or from what the session found."""
    context, _ = await _environment(sessions, call)
    await respond.json(200, await context.rooms.of(Desk).changes(context))


@enveloped
async def diff(sessions: Sessions, call: Call, respond: Responder) -> None:
    """A file before and after."""
    context, path = await _environment(sessions, call)
    await respond.json(200, await context.rooms.of(Desk).diff(path, context))


@enveloped
async def shell(sessions: Sessions, call: Call, respond: Responder) -> None:
    """Run a command as the agent's own shell tool would."""
    context, _ = await _environment(sessions, call)
    command, seconds = _command(call.json())
    await context.rooms.of(Desk).begun()
    entry = await context.rooms.of(Confinement).entry((SHELL, "-c", command), context)
    try:
        ran = await run_command(entry, context.reaper, seconds=seconds, apart=True)
    except ToolError as exc:
        raise Refused(409, "conflict", str(exc)) from exc
    finally:
        sessions.open(call.session_id).bench.files_changed()
    answer = {
        "object": "session.environment.shell_result",
        "stdout": clean(ran.output),
        "stderr": clean(ran.errors),
        "exit_code": None if ran.timed_out else ran.exit_code,
        "timed_out": ran.timed_out,
        "cwd": str(context.workspace.root),
    }
    await respond.json(200, answer)


async def begin(sessions: Sessions, session_id: str) -> None:
    """Remember what the session finds in its workspace, before its first turn. What cannot be had is left."""
    with contextlib.suppress(AgentMissing, AgentInvalid, OutsideWorkspaceError):
        context = (await sessions.open(session_id).bench.equipment.toolbox()).context
        if context.spec.os_env is not None:
            context.rooms.of(Desk).begin(context)


async def begun(context: ToolContext) -> None:
    """Wait until that is done: what a tool does after it is a change."""
    await context.rooms.of(Desk).begun()


# -- what they have in common ----------------------------------------------------------------------------


async def _change(
    do: str, sessions: Sessions, call: Call, respond: Responder, fields: Mapping[str, Any]
) -> None:
    context, path = await _environment(sessions, call)
    desk = context.rooms.of(Desk)
    await desk.begun()
    answer = await desk.change({**fields, "do": do, "path": path}, context)
    sessions.open(call.session_id).bench.files_changed()
    await respond.json(200, answer)


async def _context(sessions: Sessions, call: Call) -> ToolContext:
    return (await sessions.open(call.session_id).bench.equipment.toolbox()).context


async def _environment(sessions: Sessions, call: Call) -> tuple[ToolContext, str]:
    """What the named environment works with, and the path after it. Raises Refused."""
    name, path = _named(call)
    if name != DEFAULT:
        raise _unknown(name)
    context = await _context(sessions, call)
    if context.spec.os_env is None:
        raise _unknown(name)
    _parts(path, context)
    return context, path


def _named(call: Call) -> tuple[str, str]:
    """The environment's id and the path behind the operation's name; what is no text stays its bytes."""
    tail = call.request.path.partition(_ENVIRONMENTS)[2]
    name, _, rest = tail.partition("/")
    path = rest.partition("/")[2]
    return unquote(name, errors="replace"), unquote(path, errors="surrogateescape")


def _parts(path: str, context: ToolContext) -> Parts:
    try:
        return parts_of(path, context.workspace.root)
    except BadPath as exc:
        raise invalid(str(exc)) from exc


async def _resources(sessions: Sessions, call: Call) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Environments and terminals."""
    context = await _context(sessions, call)
    panes = context.rooms.of(Terminals).all()
    own = primary(context)
    environments = [*([own] if own else []), *(of_terminal(pane, context) for pane in panes)]
    return environments, [pane.resource() for pane in panes]


async def _list(respond: Responder, rows: list[dict[str, Any]]) -> None:
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
    await respond.json(200, {"object": "list", "data": rows, **ends, "has_more": False})


def _listing(path: str, call: Call) -> dict[str, Any]:
    cursors = {name: call.query(name) for name in ("after", "before", "order")}
    return {"do": "list", "path": path, "limit": _number(call, "limit"), **cursors}


def _command(body: Mapping[str, Any]) -> tuple[str, float]:
    """A command and its seconds. Raises Refused."""
    command, seconds = body.get("command"), body.get("timeout", DEFAULT_TIMEOUT)
    if not isinstance(command, str) or not command.strip():
        raise Refused(400, "invalid_input", "command is required", has_detail=True)
    if "\x00" in command or (not command.isascii() and not _is_text(command)):
        raise invalid("command must not contain NUL, and must be text")
    if seconds is None:
        seconds = DEFAULT_TIMEOUT
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise invalid("timeout must be a positive number of seconds")
    return command, min(float(seconds), MAX_TIMEOUT)


def _is_text(command: str) -> bool:
    try:
        command.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(call: Call, name: str) -> int | None:
    text = call.query(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise invalid(f"{name} must be a whole number")
    return int(text)


def _flag(call: Call, name: str) -> bool:
    text = (call.query(name) or "false").lower()
    if text not in _TRUE | _FALSE:
        raise invalid(f"{name} must be true or false")
    return text in _TRUE


def _unknown(name: str) -> Refused:
    return Refused(404, "not_found", f"Environment '{name}' not found")


async def _refuse(respond: Responder, refused: Refused) -> None:
    detail = {"detail": refused.message} if refused.has_detail else {}
    error = {"code": refused.code, "message": refused.message}
    await respond.json(refused.status, {"error": error, **detail})

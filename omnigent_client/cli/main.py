"""One command from its arguments to its exit code."""

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import httpx

from omnigent_client.cli.arguments import build_parser
from omnigent_client.cli.commands import identity, making, portable, reading, talking
from omnigent_client.cli.connection import connection_of
from omnigent_client.cli.exits import ERROR, INTERRUPTED, code_of, line_of
from omnigent_client.cli.interrupts import heeded, waking
from omnigent_client.cli.screen import Screen
from omnigent_client.cli.surroundings import Surroundings
from omnigent_client.cli.task import Task
from omnigent_client.errors import OmnigentError

COMMANDS: Final[Mapping[str, Callable[[Task], Awaitable[int]]]] = MappingProxyType(
    {
        "login": identity.login,
        "logout": identity.logout,
        "sessions": reading.list_sessions,
        "show": reading.show,
        "new": making.new,
        "fork": making.fork,
        "attach": talking.attach,
        "send": talking.send,
        "interrupt": talking.interrupt,
        "export": portable.export,
        "import": portable.import_,
    }
)


def run(arguments: Sequence[str], surroundings: Surroundings | None = None) -> int:
    """Run one command. Expected errors become one line and an exit code; a bug stays a traceback."""
    around = surroundings or _ours()
    screen = Screen(around.stdout, around.stderr, around.environ)
    try:
        code = _run(arguments, around, screen)
        screen.flush()
    except (OmnigentError, httpx.HTTPError, httpx.InvalidURL) as error:
        screen.complain(line_of(error))
        return code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Whoever read our output has enough, or there is no room for it. The rest must not be tried at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            screen.complain(line_of(error))
        return ERROR
    return code


def _run(arguments: Sequence[str], around: Surroundings, screen: Screen) -> int:
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else ERROR
    connection = connection_of(options.server, around)
    task = Task(options=options, surroundings=around, screen=screen, connection=connection)

    async def work() -> int:
        with waking(asyncio.get_running_loop()):
            return await COMMANDS[options.command](task)

    with heeded():
        return asyncio.run(work())


def _ours() -> Surroundings:
    """The process's own. A character that the terminal's encoding lacks is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    return Surroundings(environ=os.environ, stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)

"""How a command ends: its exit codes, and each expected error as one line."""

from typing import Final

import httpx

from omnigent_client.errors import (
    AccessLostError,
    ApiError,
    ConnectionFailedError,
    NotFoundError,
    OmnigentError,
    TurnFailed,
    TurnInterrupted,
    UnauthorizedError,
)

OK: Final = 0
ERROR: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
TURN_FAILED: Final = 4
INTERRUPTED: Final = 130

MEANINGS: Final = (
    "exit codes: 0 done, 1 error, 2 wrong usage, 3 not found, 4 the turn failed, 130 interrupted"
)


class CommandError(OmnigentError):
    """A command cannot do what it was asked; the message is for the person who asked."""

    exit_code = ERROR


class UsageError(CommandError):
    """The arguments make no sense."""

    exit_code = USAGE


class NothingFoundError(CommandError):
    """There is no such session, agent or host."""

    exit_code = NOT_FOUND


def code_of(error: Exception) -> int:
    """The exit code that an expected error ends a command with."""
    if isinstance(error, CommandError):
        return error.exit_code
    if isinstance(error, AccessLostError):
        return code_of(error.cause)
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    if isinstance(error, TurnFailed):
        return TURN_FAILED
    return INTERRUPTED if isinstance(error, TurnInterrupted) else ERROR


def line_of(error: Exception) -> str:
    """What a person is told of it."""
    if isinstance(error, UnauthorizedError):
        return f"{error.message}; log in with: omnigent login"
    if isinstance(error, AccessLostError):
        return f"lost the session: {line_of(error.cause)}"
    if isinstance(error, ConnectionFailedError):
        return f"no answer: {error}"
    if isinstance(error, ApiError):
        return f"{error.message} ({error.code})"
    if isinstance(error, httpx.InvalidURL):
        return f"not an address: {error}"
    return str(error) or type(error).__name__

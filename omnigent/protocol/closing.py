"""WebSocket close codes of both tunnels, and what the other end does about them."""

from enum import IntEnum


class CloseCode(IntEnum):
    """Codes that one end of a tunnel closes with."""

    NORMAL = 1000
    GOING_AWAY = 1001
    INTERNAL = 1011
    RECYCLE = 1012
    TRY_LATER = 1013
    REPLACED = 4000
    NOT_HELLO = 4001
    UNSUPPORTED_VERSION = 4002
    PING_TIMEOUT = 4003
    BAD_TOKEN = 4004
    HOST_REGISTRATION_FAILED = 4005
    HOST_OWNED_BY_ANOTHER = 4009
    SERVER_FAULT = 4500


FATAL = frozenset(
    {CloseCode.NOT_HELLO, CloseCode.UNSUPPORTED_VERSION, CloseCode.BAD_TOKEN, CloseCode.SERVER_FAULT}
)
"""A runner that is closed with one of these exits with status 1 instead of dialling again."""

RECYCLES = frozenset({CloseCode.GOING_AWAY, CloseCode.RECYCLE})
"""The server goes away for a moment: dial again soon, without growing the backoff."""

IDLE_SHUTDOWN = "runner idle shutdown"
"""Reason of a 1000 by which an idle runner leaves; its sessions stay idle instead of failing."""

REPLACED_REASON = "tunnel replaced"
PING_TIMEOUT_REASON = "ping timeout"
HELLO_TIMEOUT_REASON = "hello timeout"

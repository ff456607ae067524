"""The limits that both servers are given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from omnigent.serving.listener import BACKLOG

# An ASGI application; uvicorn and Daphne type it differently or not at all.
Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """WebSocket frames and pings, and how long a request body may take to arrive."""

    frame_bytes: int
    ping_seconds: float
    ping_timeout: float
    body_seconds: float
    backlog: int = BACKLOG

"""Terminals of a session, in the runner's words."""

from typing import Literal

from pydantic import ConfigDict, JsonValue

from omnigent.api.schema.shapes import Shape


class TerminalFacts(Shape):
    """What is known of a terminal; runners may say more."""

    model_config = ConfigDict(extra="allow")

    terminal_name: str
    session_key: str
    running: bool
    exit_status: int | None = None
    started_at: int | None = None


class TerminalResource(Shape):
    """A terminal."""

    id: str
    object: Literal["session.resource"]
    type: Literal["terminal"]
    session_id: str
    name: str
    environment: JsonValue = None
    metadata: TerminalFacts


class TerminalPage(Shape):
    """All terminals of a session."""

    object: Literal["list"]
    data: list[TerminalResource]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool

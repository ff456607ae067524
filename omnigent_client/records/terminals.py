"""Terminals of a session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigent_client.decoding import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal(Record):
    """A program on a screen of its own, beside the session's runner; `metadata["running"]` until it ends."""

    id: str
    name: str | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] | None = None

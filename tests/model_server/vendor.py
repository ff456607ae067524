"""What the server needs from a vendor's protocol."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from tests.model_server.prompt import Prompt
from tests.model_server.steps import Call, Fail, Reason, Tokens


class Vendor(Protocol):
    """Writes one answer; each method returns the bytes of the events that it takes."""

    def __init__(self, body: Mapping[str, Any]) -> None: ...

    @staticmethod
    def prompt(body: Mapping[str, Any]) -> Prompt: ...

    @staticmethod
    def failure(step: Fail) -> Any: ...

    def begin(self, tokens: Tokens) -> bytes: ...

    def text(self, word: str) -> bytes: ...

    def reasoning(self, word: str) -> bytes: ...

    def call(self, call: Call) -> bytes: ...

    def broken(self, kind: str, message: str) -> bytes: ...

    def finish(self, tokens: Tokens, reason: Reason) -> bytes: ...


def event(data: Mapping[str, Any], *, name: str = "") -> bytes:
    """One server-sent event."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    head = f"event: {name}\n" if name else ""
    # A lone surrogate has no UTF-8 form; its Python escape is also its JSON escape.
    return f"{head}data: {text}\n\n".encode(errors="backslashreplace")

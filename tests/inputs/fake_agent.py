"""What a real runner does with what it is told: one response at a time, steers folded into the next one."""

from collections.abc import Iterator
from typing import Any

from tests.inputs.fake_runner import FakeRunner, began, response, status, text

ERROR = {"code": "Boom", "message": "it broke"}


class FakeAgent:
    """The turns of one session in one runner process; `tokens` is the text it has emitted, piece by piece."""

    def __init__(self, runner: FakeRunner, session_id: str, numbers: Iterator[int]) -> None:
        self.runner = runner
        self.session_id = session_id
        self.active = ""
        self.tokens: list[str] = []
        self._numbers = numbers
        self._has_backlog = False
        runner.on_taken = self.take

    async def take(self, body: dict[str, Any]) -> None:
        """Something was accepted."""
        if body["type"] == "message":
            if self.active:
                self._has_backlog = True
            else:
                await self._begin()
        elif body["type"] == "interrupt" and self.active:
            await self.end("cancelled")

    async def say(self) -> str:
        """Stream a piece of text that no other is equal to."""
        token = f"<{next(self._numbers)}>"
        self.tokens.append(token)
        await self.runner.emit(self.session_id, text(token))
        return token

    async def end(self, kind: str) -> None:
        """End the response; what was buffered becomes the next turn."""
        more = {"error": ERROR} if kind == "failed" else {}
        await self.runner.emit(self.session_id, response(kind, self.active, **more))
        self.active = ""
        if self._has_backlog:
            self._has_backlog = False
            await self._begin()
        elif kind == "failed":
            await self.runner.emit(self.session_id, status("failed", error=ERROR))
        else:
            await self.runner.emit(self.session_id, status("idle"))

    async def _begin(self) -> None:
        self.active = f"resp_{next(self._numbers)}"
        await self.runner.emit(self.session_id, *began(self.active))

"""Streamed text cut into blocks that can be drawn as Markdown while the rest is still to come."""

from typing import Final

FENCES: Final = ("```", "~~~")
LONGEST_BLOCK: Final = 400


class TextBlocks:
    """A block ends at an empty line outside of a code fence, or when it is very long."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._unfinished = ""
        self._fence: str | None = None
        self._heard: list[str] = []

    @property
    def heard(self) -> str:
        """Everything that was fed since the last `clear`."""
        return "".join(self._heard)

    @property
    def open_text(self) -> str:
        """What is not part of a finished block yet."""
        return "\n".join([*self._lines, self._unfinished])

    def feed(self, delta: str) -> list[str]:
        """Take some more text; the blocks that it finishes."""
        self._heard.append(delta)
        *whole, self._unfinished = (self._unfinished + delta).split("\n")
        return [block for line in whole if (block := self._take(line))]

    def rest(self) -> str:
        """Take what is open as a last block; empty if there is nothing."""
        text = self.open_text.strip("\n")
        self._lines, self._unfinished, self._fence = [], "", None
        return text if text.strip() else ""

    def clear(self) -> None:
        """Forget everything."""
        self.rest()
        self._heard.clear()

    def _take(self, line: str) -> str:
        self._lines.append(line)
        start = line.lstrip()
        if self._fence is not None:
            if start.startswith(self._fence):
                self._fence = None
            elif len(self._lines) >= LONGEST_BLOCK:
                return self._cut(reopen=self._fence)
            return ""
        fence = next((fence for fence in FENCES if start.startswith(fence)), None)
        if fence is not None:
            self._fence = fence
            return ""
        return self._cut() if not line.strip() or len(self._lines) >= LONGEST_BLOCK else ""

    def _cut(self, reopen: str | None = None) -> str:
        lines = [*self._lines, reopen] if reopen else self._lines
        block = "\n".join(lines).strip("\n")
        self._lines = [reopen] if reopen else []
        return block if block.strip() else ""

"""The line that a person types in, what changes above it, and the status line below."""

import time
from collections.abc import Callable
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from rich.console import Group, RenderableType
from rich.text import Text

from omnigent_client.cli.live.drawing import arguments_of
from omnigent_client.cli.live.view import SessionView
from omnigent_client.cli.safe_text import clean_block, clean_line
from omnigent_client.cli.screen import Screen

REDRAW_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 25.0
"""The server says something every 15 seconds."""
BELOW: Final = 4
FEWEST_ROWS: Final = 3
TAIL_LINES: Final = 5
QUESTION: Final = "Approve? y, n or c(ancel) "


class Desk:
    """One prompt after the other; output that is printed meanwhile goes above it."""

    def __init__(
        self,
        screen: Screen,
        view: SessionView,
        on_interrupt: Callable[[], None],
        *,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._screen = screen
        self._view = view
        self._on_interrupt = on_interrupt
        self.waiting: list[str] = []
        self._heard_at = time.monotonic()
        self._question_at_start: str | None = None
        self._was_empty = True
        self._prompt: PromptSession[str] = PromptSession(
            history=InMemoryHistory(),
            erase_when_done=True,
            key_bindings=self._keys(),
            input=input,
            output=output,
        )
        self._prompt.default_buffer.on_text_changed += lambda buffer: self._typed(buffer.document)

    async def next_line(self) -> tuple[str, str | None]:
        """What was typed, and the question that was open when the typing began. Raises EOFError on Ctrl-D."""
        self._was_empty = True
        self._question_at_start = None
        line = await self._prompt.prompt_async(
            self._above, bottom_toolbar=self._below, refresh_interval=REDRAW_SECONDS
        )
        return line, self._question_at_start

    @property
    def typed_text(self) -> str:
        """What stands in the line now."""
        return self._prompt.default_buffer.text

    def heard(self) -> None:
        """The server said something: the changing part may look different now."""
        self._heard_at = time.monotonic()
        self.redraw()

    def redraw(self) -> None:
        """Draw the changing part again."""
        self._prompt.app.invalidate()

    def leave(self) -> None:
        """End the prompt as Ctrl-D does."""
        if self._prompt.app.is_running:
            self._prompt.app.exit(exception=EOFError())

    def _typed(self, document: Document) -> None:
        if self._was_empty:
            # What comes up later was not seen by whoever began to type.
            self._question_at_start = self._open_question()
        self._was_empty = not document.text

    def _open_question(self) -> str | None:
        return next(iter(self._view.approvals), None)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add(Keys.ControlC)
        @keys.add(Keys.SIGINT)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.reset()
            self._on_interrupt()

        return keys

    def _above(self) -> ANSI:
        drawn = self._screen.drawn(Group(*self._parts())).split("\n") if self._parts() else []
        rows = max(self._screen.height - BELOW, FEWEST_ROWS)
        prompt = QUESTION if self._view.approvals else ""
        return ANSI("\n".join([*drawn[-rows:-1], f"{prompt}> "]))

    def _parts(self) -> list[RenderableType]:
        view = self._view
        rows = max(self._screen.height, FEWEST_ROWS)
        parts: list[RenderableType] = []
        if view.thinking:
            parts.append(Text("\n".join(_last_lines(view.thinking, TAIL_LINES)), style="dim italic"))
        for call in view.calls.values():
            line = clean_line(f"{call.name} {arguments_of(call.arguments)}", longest=200)
            parts.append(Text(f"… {line}", style="blue"))
            if call.tail:
                parts.append(Text("\n".join(_last_lines(call.tail, TAIL_LINES)), style="dim"))
        if view.text.strip():
            parts.append(Text("\n".join(_last_lines(view.text, rows))))
        parts += [Text(f"(sending) {clean_line(text, longest=200)}", style="dim") for text in self.waiting]
        return parts

    def _below(self) -> StyleAndTextTuples:
        silence = time.monotonic() - self._heard_at
        lost = " · no sign of the server, trying again" if silence > SILENT_SECONDS else ""
        facts = self._view.facts
        hints = "Ctrl-C interrupts, Ctrl-D leaves"
        return [("", f" {facts.line()}{lost} · {hints} · {clean_line(facts.title or 'no title')}")]


def _last_lines(text: str, count: int) -> list[str]:
    return clean_block(text).rstrip("\n").split("\n")[-count:]

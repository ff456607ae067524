"""Where a command writes: rich drawings on a terminal, plain lines in a pipe, errors on the side."""

from collections.abc import Mapping
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style

from omnigent_client.cli.safe_text import clean, clean_line


class Harmless:
    """A drawing without anything but styled text: no control codes, no links, whatever its parts hold."""

    def __init__(self, drawing: RenderableType) -> None:
        self.drawing = drawing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.drawing, options):
            if not segment.control:
                yield Segment(clean(segment.text), _without_link(segment.style))


class Screen:
    """The output of one command. `is_terminal` decides between drawings and plain lines."""

    def __init__(self, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.is_terminal = stdout.isatty() and environ.get("TERM") != "dumb"
        self._console = Console(
            file=stdout,
            force_terminal=self.is_terminal,
            no_color=bool(environ.get("NO_COLOR")),
            markup=False,
            emoji=False,
            highlight=False,
        )

    @property
    def height(self) -> int:
        """Rows of the terminal."""
        return self._console.height

    def say(self, text: str) -> None:
        """One or more plain lines."""
        self.stdout.write(f"{clean(text)}\n")

    def draw(self, drawing: RenderableType) -> None:
        """Something that rich can draw; for terminals."""
        self._console.print(Harmless(drawing))

    def drawn(self, drawing: RenderableType) -> str:
        """The same as a text with colours in it, to be shown by somebody else."""
        with self._console.capture() as capture:
            self._console.print(Harmless(drawing))
        return capture.get()

    def tell(self, text: str) -> None:
        """A line beside the output, for a person."""
        self.flush()
        self.stderr.write(f"{clean_line(text)}\n")
        self.stderr.flush()

    def complain(self, text: str) -> None:
        """Why the command fails, in one line."""
        self.tell(f"omnigent: {text}")

    def flush(self) -> None:
        """Write out what is buffered."""
        self.stdout.flush()


def _without_link(style: Style | None) -> Style | None:
    return style.update_link(None) if style is not None and style.link else style

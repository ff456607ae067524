"""Entries on a screen: cards and Markdown on a terminal, plain lines in a pipe."""

import json
from collections.abc import Iterable
from typing import Final

from markdown_it import MarkdownIt
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from omnigent_client.cli.live.entries import Asked, Entry, Note, Ran, Said, Thought
from omnigent_client.cli.safe_text import clean_block, clean_line
from omnigent_client.cli.screen import Screen

SHOWN_LINES: Final = 20
SHOWN_CHARACTERS: Final = 4000
LONGEST_MARKDOWN: Final = 50_000


class PlainMarkdown(Markdown):
    """Markdown whose lines stay lines, without HTML, which would be left out: tags are text here."""

    def __init__(self, text: str) -> None:
        super().__init__(text, hyperlinks=False)
        parser = MarkdownIt().enable(["strikethrough", "table"]).disable(["html_block", "html_inline"])
        self.parsed = parser.parse(text)
        for token in self.parsed:
            for child in token.children or ():
                child.type = "hardbreak" if child.type == "softbreak" else child.type


class Painter:
    """Puts entries on a screen; `is_whole` does not shorten them."""

    def __init__(self, screen: Screen, *, is_whole: bool = False) -> None:
        self._screen = screen
        self._is_whole = is_whole

    def paint(self, entries: Iterable[Entry]) -> None:
        """All of them, in order."""
        for entry in entries:
            if self._screen.is_terminal:
                self._screen.draw(drawing_of(entry, is_whole=self._is_whole))
            else:
                self._screen.say(lines_of(entry, is_whole=self._is_whole))
        self._screen.flush()


def drawing_of(entry: Entry, *, is_whole: bool = False) -> RenderableType:
    """For a terminal."""
    match entry:
        case Said(role="user"):
            who = f"{clean_line(entry.who)} " if entry.who else ""
            return Padding(Text(f"{who}> {clean_block(entry.text)}", style="bold cyan"), (1, 0))
        case Said():
            text = clean_block(entry.text)
            return PlainMarkdown(text) if len(text) <= LONGEST_MARKDOWN else Text(text)
        case Thought():
            return Text(clean_block(entry.text), style="dim italic")
        case Ran():
            return _card(entry, is_whole=is_whole)
        case Asked():
            return _question(entry)
        case Note():
            return Text(clean_line(entry.text), style="red" if entry.is_bad else "dim")


def lines_of(entry: Entry, *, is_whole: bool = False) -> str:
    """For a pipe."""
    match entry:
        case Said(role="user"):
            return _indented(entry.text, f"{clean_line(entry.who or '')}> ")
        case Said():
            return clean_block(entry.text)
        case Thought():
            return _indented(entry.text, "~ ")
        case Ran():
            call = f"$ {clean_line(entry.name)} {clean_line(entry.arguments)}"
            output = "(no result)" if entry.output is None else _shortened(entry.output, is_whole=is_whole)
            return f"{call}\n{_indented(output, '| ')}" if output else call
        case Asked():
            parts = (entry.message, entry.preview, entry.policy and f"({entry.policy})", *entry.fields)
            return "? " + " ".join(clean_line(part) for part in parts if part)
        case Note():
            return f"-- {clean_line(entry.text)}"


def arguments_of(text: str) -> str:
    """A call's arguments for reading: a single text as it is, anything else as JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        return clean_block(text)
    if isinstance(value, dict) and len(value) == 1:
        [(name, only)] = value.items()
        if isinstance(only, str):
            return f"{clean_line(name)}: {clean_block(only)}"
    return clean_block(json.dumps(value, indent=2, ensure_ascii=False)) if value else ""


def _card(entry: Ran, *, is_whole: bool) -> RenderableType:
    parts: list[RenderableType] = []
    arguments = _shortened(arguments_of(entry.arguments), is_whole=is_whole)
    if arguments:
        parts.append(Text(arguments))
    if entry.output is None:
        parts.append(Text("no result", style="dim"))
    elif entry.output.strip():
        parts += [Rule(style="dim"), Text(_shortened(entry.output, is_whole=is_whole), style="dim")]
    title = Text(clean_line(entry.name), style="bold")
    return Panel(Group(*parts), title=title, title_align="left", border_style="blue")


def _question(entry: Asked) -> RenderableType:
    parts: list[RenderableType] = [Text(clean_block(entry.message))]
    if entry.preview:
        parts.append(Text(clean_block(entry.preview), style="bold"))
    parts += [Text(clean_line(field)) for field in entry.fields]
    if entry.policy:
        parts.append(Text(f"policy: {clean_line(entry.policy)}", style="dim"))
    return Panel(
        Group(*parts), title=Text("approval", style="bold"), title_align="left", border_style="yellow"
    )


def _shortened(text: str, *, is_whole: bool) -> str:
    text = clean_block(text).strip("\n")
    if is_whole:
        return text
    lines = text[:SHOWN_CHARACTERS].split("\n")
    left_out = text.count("\n") + 1 - min(len(lines), SHOWN_LINES)
    shown = "\n".join(lines[:SHOWN_LINES])
    if left_out:
        return f"{shown}\n(and {left_out} more lines)"
    return f"{shown}…" if len(text) > SHOWN_CHARACTERS else shown


def _indented(text: str, first: str) -> str:
    return "\n".join(f"{first}{line}" for line in clean_block(text).split("\n"))

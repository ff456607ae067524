"""Drawings on a terminal, and that nothing in them is an order to it."""

import io
import re
import unicodedata

import pytest
from rich.text import Text

from omnigent_client.cli.live.drawing import SHOWN_LINES, drawing_of, lines_of
from omnigent_client.cli.live.entries import Asked, Entry, Note, Ran, Said, Thought
from omnigent_client.cli.safe_text import clean, clean_line, json_line
from omnigent_client.cli.screen import Screen

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
COLOURS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|38|4[0-7]|48|9[0-7])(?:;[0-9;]*)?m")
ATTACKS = {
    "title": "\x1b]0;pwned\x07",
    "clipboard": "\x1b]52;c;cHduZWQ=\x1b\\",
    "link": "\x1b]8;;http://evil.test\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "eight bits": "\x9b2J\x9d0;pwned\x9c",
    "backspace": "rm\x08\x08ls",
    "return": "rm -r\rls   ",
    "delete": "a\x7f",
    "bidi": "a\u202eb\u2066c",
    "separator": "a\u2028b",
    "surrogate": "\ud800",
    "entity": "&#27;]0;pwned&#7; &#x9b;2J",
    "backslash": "\\\x1b[2J",
    "code": "```\n\x1b[2J\n```\n`\x1b[2J`",
    "link in Markdown": "[text](http://evil.test/\x1b[2J)",
}


class Tty(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def on_terminal(entry: Entry, **environ: str) -> str:
    """Every byte that a terminal would get."""
    out = Tty()
    Screen(out, io.StringIO(), {"TERM": "xterm-256color", **environ}).draw(drawing_of(entry))
    return out.getvalue()


def orders_in(text: str) -> set[str]:
    """The characters that a terminal obeys, or that turn what is read around."""
    return {
        sign
        for sign in text
        if sign != "\n"
        and (
            unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(sign)
            in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        )
    }


def entries_with(text: str) -> list[Entry]:
    """The text in every place that others can write."""
    return [
        Said(role="user", text=text, who=text),
        Said(role="assistant", text=text),
        Thought(text=text),
        Ran(name=text, arguments=text, output=text),
        Ran(name=text, arguments=json_line({"command": text}), output=text),
        Asked(message=text, preview=text, policy=text, fields=(text,)),
        Note(text=text),
    ]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_terminal_gets_nothing_but_text_and_colours(attack: str) -> None:
    for entry in entries_with(attack):
        left = COLOUR.sub("", on_terminal(entry))

        assert orders_in(left) == set(), repr(left)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_pipe_gets_nothing_but_text(attack: str) -> None:
    for entry in entries_with(attack):
        line = lines_of(entry)

        assert orders_in(line) == set(), repr(line)
        line.encode()


def test_a_drawing_that_was_not_cleaned_is_harmless_too() -> None:
    out = Tty()

    Screen(out, io.StringIO(), {"TERM": "xterm"}).draw(
        Text("\x1b]0;pwned\x07", style="link http://evil.test")
    )

    assert out.getvalue() == "␛]0;pwned\n"


def test_signs_stand_for_what_was_there() -> None:
    assert clean("a\x1b[0m\r\nb\tc\x00\x7f\x85") == "a␛[0m\nb\tc␀␡\ufffd"
    assert clean_line(" a\n\n b\t c ") == "a b c"
    assert clean_line("abcdef", longest=4) == "abc…"
    assert json_line("\x1b\x7fé") == '"\\u001b\\u007f\\u00e9"'


def test_markdown_is_drawn_and_html_is_not_left_out() -> None:
    shown = COLOUR.sub(
        "", on_terminal(Said(role="assistant", text="**bold**\nline <b>two</b>\n\n<div>kept</div>"))
    )

    assert [line.rstrip() for line in shown.splitlines()] == [
        "bold",
        "line <b>two</b>",
        "",
        "<div>kept</div>",
    ]


def test_an_address_in_markdown_is_shown_as_it_is() -> None:
    shown = COLOUR.sub("", on_terminal(Said(role="assistant", text="[bank.test](http://evil.test)")))

    assert "bank.test (http://evil.test)" in shown


def test_thinking_is_dim() -> None:
    assert "\x1b[2;3mHmm.\x1b[0m" in on_terminal(Thought(text="Hmm."))


def test_no_color_leaves_no_colours() -> None:
    entry = Note(text="bad", is_bad=True)

    assert COLOURS.search(on_terminal(entry))
    assert not COLOURS.search(on_terminal(entry, NO_COLOR="1"))


def test_long_output_is_shortened_and_says_so() -> None:
    output = "\n".join(str(number) for number in range(100))
    entry = Ran(name="seq", arguments="{}", output=output)

    assert lines_of(entry).endswith(f"| {SHOWN_LINES - 1}\n| (and {100 - SHOWN_LINES} more lines)")
    assert lines_of(entry, is_whole=True).endswith("| 99")
    assert len(lines_of(Ran(name="x", arguments="", output="y" * 100_000))) < 5000


def test_arguments_of_a_card_are_readable() -> None:
    shown = COLOUR.sub("", on_terminal(Ran(name="sh", arguments='{"command": "a\\nb"}', output=None)))

    assert "│ command: a" in shown and "│ b " in shown and "no result" in shown

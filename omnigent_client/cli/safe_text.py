"""Text of others made harmless for a terminal: nothing in it can move the cursor, retitle or write elsewhere.

Model output, tool output, titles and names come from whoever wrote them. A terminal obeys escape sequences,
and bidirectional overrides show a command as another one; both become visible signs here.
"""

import json
import re
from typing import Final

PICTURES: Final = 0x2400
"""Unicode's pictures of the control characters begin here."""

# C0 but for tab and line feed, DEL, C1, separators of lines, bidirectional controls, lone surrogates.
HARMFUL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
LINE_ENDS: Final = re.compile("\r\n?")
TAB_WIDTH: Final = 4


def clean(text: str) -> str:
    """The text with a visible sign for each character that a terminal would obey; lines stay lines."""
    return HARMFUL.sub(_sign, LINE_ENDS.sub("\n", text))


def clean_line(text: str, *, longest: int | None = None) -> str:
    """The same as one line without tabs, cut to a number of characters."""
    line = " ".join(clean(text).split())
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1]}…"


def clean_block(text: str) -> str:
    """`clean` with tabs as spaces, for text whose width is counted."""
    return clean(text).expandtabs(TAB_WIDTH)


def json_line(value: object) -> str:
    """JSON in ASCII alone, whose control characters are escapes of its own."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(PICTURES + code)
    return "\u2421" if code == 0x7F else "\ufffd"

"""Keys by name, as people call them and tmux knows them."""

import re
from typing import Final

from omnigent.runner.terminals.errors import TerminalError

_NAMED: Final = (
    "Enter|Escape|Tab|BTab|BSpace|Space|Up|Down|Left|Right|Home|End|PageUp|PageDown|PgUp|PgDn|PPage|NPage"
    "|IC|DC|F1[0-2]|F[1-9]"
)
_KEY: Final = re.compile(rf"(?:[CMS]-){{0,3}}(?:{_NAMED}|[^\s\x00-\x1f\x7f])\Z")
# What else people write for them.
_OTHERS: Final = {
    "Return": "Enter",
    "Esc": "Escape",
    "Backspace": "BSpace",
    "Delete": "DC",
    "Insert": "IC",
    "Ctrl-C": "C-c",
    "Ctrl-D": "C-d",
}
_HINT: Final = "write names such as Enter, Escape, Up, F5 or C-c, or one character"
MOST_KEYS: Final = 256


def keys_of(text: str) -> list[str]:
    """Names apart by spaces, such as `Down Down Enter` or `C-c`. Raises TerminalError for others."""
    return known(text.split())


def known(names: list[str]) -> list[str]:
    """The same names in tmux's words. Raises TerminalError."""
    if len(names) > MOST_KEYS:
        raise TerminalError(f"keys: at most {MOST_KEYS} at once")
    keys = [_OTHERS.get(name, name) for name in names]
    for key in keys:
        if not _KEY.match(key):
            raise TerminalError(f"keys: {key[:40]!r} is no key; {_HINT}")
    return keys

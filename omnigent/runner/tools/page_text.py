"""A web page as text that a model reads: headings, lists, links; nothing that a browser would not show.

One pass that looks at each character a fixed number of times, whatever the page: parsers that build the tree
of a hostile page can be kept busy for hours.
"""

import html
import re
from typing import Final
from urllib.parse import urljoin

_MARKUP: Final = re.compile(r"<(?:(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]{0,30})|[!?/])")
_HREF: Final = re.compile(r"\shref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_SPACE: Final = re.compile(r"\s+")
_HIDDEN: Final = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "template", "svg", "iframe", "object", "canvas", "math")
}
_HEADINGS: Final = {f"h{level}": "#" * level + " " for level in range(1, 7)} | {"title": "# "}
_BEFORE: Final = {"li": "- ", "td": "| ", "th": "| ", **_HEADINGS}
_BLOCKS: Final = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "br", "dd", "details", "div", "dl", "dt"),
        *("fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "legend", "li", "main"),
        *("nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "thead", "tr", "ul"),
        *_HEADINGS,
    )
)
_APART: Final = frozenset(("p", "pre", "table", "ul", "ol", "blockquote", *_HEADINGS))
_MAX_LINK: Final = 500


def text_of(page: str, base: str) -> str:
    """The text of an HTML page; links follow their words as absolute addresses, `base` being the page's."""
    text = _Text(base)
    position = 0
    while markup := _MARKUP.search(page, position):
        start = markup.start()
        text.words(page[position:start])
        if page.startswith("<!--", start):
            position = _behind(page, "-->", start + 4)
        else:
            position = _behind(page, ">", start)
            name = (markup["name"] or "").lower()
            if name in _HIDDEN and not markup["end"]:
                closing = _HIDDEN[name].search(page, position)
                position = _behind(page, ">", closing.end()) if closing else len(page)
            elif name:
                text.tag(name, page[start:position], is_end=bool(markup["end"]))
    text.words(page[position:])
    return text.whole()


def _behind(page: str, mark: str, start: int) -> int:
    """The position behind the next mark, the end of the page when there is none."""
    found = page.find(mark, start)
    return len(page) if found < 0 else found + len(mark)


class _Text:
    """What was read so far."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._parts: list[str] = []
        self._is_at_start = True
        self._preformatted = 0
        self._link = ""
        self._linked_at = 0

    def words(self, raw: str) -> None:
        """Characters between two tags."""
        if not raw:
            return
        try:
            text = html.unescape(raw)
        except ValueError:  # a character reference of thousands of digits
            text = raw
        if not self._preformatted:
            text = _SPACE.sub(" ", text)
            text = text.lstrip(" ") if self._is_at_start else text
        self._put(text)

    def tag(self, name: str, written: str, *, is_end: bool) -> None:
        """An opening or closing tag."""
        if name in _BLOCKS:
            self._put("\n\n" if name in _APART else "\n")
        if name == "pre":
            self._preformatted = max(0, self._preformatted + (-1 if is_end else 1))
        if name == "a":
            self._anchor(written, is_end=is_end)
        elif not is_end and name in _BEFORE:
            self._put(_BEFORE[name])
        elif is_end and name in {"td", "th"}:
            self._put(" ")

    def whole(self) -> str:
        """The text, with never more than one empty line between two others."""
        lines: list[str] = []
        for line in "".join(self._parts).split("\n"):
            shown = line.rstrip()
            if shown or (lines and lines[-1]):
                lines.append(shown)
        return "\n".join(lines).strip("\n")

    def _put(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._is_at_start = text[-1] in "\n "

    def _anchor(self, written: str, *, is_end: bool) -> None:
        if is_end:
            has_words = any(part.strip() for part in self._parts[self._linked_at :])
            if self._link and has_words:
                self._put(f" ({self._link})")
            self._link = ""
            return
        found = _HREF.search(written)
        self._link = self._address("".join(part or "" for part in found.groups())) if found else ""
        self._linked_at = len(self._parts)

    def _address(self, written: str) -> str:
        try:
            address = urljoin(self._base, written.replace("&amp;", "&").strip())
        except ValueError:
            return ""
        shown = address.startswith(("https://", "http://")) and len(address) <= _MAX_LINK
        return address if shown and address.partition("#")[0] != self._base.partition("#")[0] else ""

"""Command line -> simple commands as written: words without quotes, split at `; & |`, newlines and groups."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

OPEN_QUOTES = "quotes that are not closed"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PLAIN = re.compile(r"[\w./:=@%+,~^!{}\[\]*?-]+", re.ASCII)
_BRACED = re.compile(r"\$\{[^{}'\"`\\$()\s|][^{}'\"`\\$()]*\}")
_EXPANDED = re.compile(r"[\w@*#?$!-]", re.ASCII)
_REDIRECT = re.compile(r"<>|<&|<|>>|>\||>&|>")
_DESCRIPTOR = re.compile(r"\d+|\{\w+\}", re.ASCII)
_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Word:
    """`is_computed`: the shell makes the real text at run time, from a variable, a pattern or braces."""

    text: str
    is_computed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Simple:
    """A simple command as written, with assignments and wrappers still in front."""

    words: tuple[Word, ...]
    raw: str
    redirects: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Commands:
    """`fault` names the syntax that ended the reading, `unread` is the text from its command on."""

    commands: list[Simple]
    fault: str = ""
    unread: str = ""


class UnsupportedError(ValueError):
    """Syntax that is not followed; the message names it."""


class _OpenQuotesError(ValueError):
    pass


def split(command: str) -> Commands:
    """The simple commands in order, as far as the syntax is followed; never raises."""
    reader = _Reader(command)
    try:
        reader.read()
    except UnsupportedError as error:
        return Commands(commands=reader.found, fault=str(error), unread=command[reader.start :])
    except _OpenQuotesError:
        reader.add_open()
    return Commands(commands=reader.found)


class _Reader:
    """One pass over the text. `_bare` is the part of the current word that stood outside quotes."""

    def __init__(self, text: str) -> None:
        control = _CONTROL.search(text)
        self._text = text[: control.start()] if control else text
        self._is_cut = control is not None
        self._at = 0
        self.found: list[Simple] = []
        self._begin_command()

    def read(self) -> None:
        """Fill `found`; raises UnsupportedError or _OpenQuotesError where reading has to stop."""
        while self._at < len(self._text):
            self._step(self._text[self._at])
        if self._is_cut:
            raise UnsupportedError("control character")
        self._end_command()

    def add_open(self) -> None:
        """Keep the rest of the text as one unreadable command."""
        self.found.append(Simple(words=(), raw=self._text[self.start :].strip(), fault=OPEN_QUOTES))

    def _begin_command(self) -> None:
        self.start = self._at
        self._words: list[Word] = []
        self._redirects: list[str] = []
        self._is_target = self._is_closed = False
        self._begin_word()

    def _begin_word(self) -> None:
        self._parts: list[str] = []
        self._bare: list[str] = []
        self._is_word = self._is_computed = False

    def _add(self, text: str, *, bare: bool) -> None:
        self._is_word = True
        self._parts.append(text)
        if bare:
            self._bare.append(text)

    def _end_word(self) -> None:
        if not self._is_word:
            return
        text, bare = "".join(self._parts), "".join(self._bare)
        word = Word(text, self._is_computed or _is_pattern(bare))
        self._begin_word()
        if self._is_target:
            self._redirects.append(text)
            self._is_target = False
        elif text == bare and text in ("{", "}"):
            self._end_command()
        elif self._is_closed:
            # `a &> f b` is one command to bash and two to dash.
            raise UnsupportedError("words after &>")
        else:
            self._words.append(word)

    def _end_command(self) -> None:
        self._end_word()
        raw = self._text[self.start : self._at].strip()
        if self._words or self._redirects:
            self.found.append(Simple(words=tuple(self._words), raw=raw, redirects=tuple(self._redirects)))
        self._begin_command()

    def _step(self, char: str) -> None:
        if char in " \t":
            self._end_word()
            self._at += 1
        elif (special := _SPECIAL.get(char)) is not None:
            special(self)
        elif (plain := _PLAIN.match(self._text, self._at)) is not None:
            self._add(plain[0], bare=True)
            self._at = plain.end()
        elif char.isspace() or unicodedata.category(char) in ("Cf", "Zs", "Zl", "Zp"):
            raise UnsupportedError("unusual white space")
        else:
            self._add(char, bare=True)
            self._at += 1

    def _single(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise _OpenQuotesError
        self._add(self._text[self._at + 1 : end], bare=False)
        self._at = end + 1

    def _double(self) -> None:
        self._add("", bare=False)
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return
            if char == "$":
                self._dollar(is_quoted=True)
            elif char == "`":
                self._backtick()
            elif char == "\\" and self._text[self._at + 1 : self._at + 2] in ("$", "`", '"', "\\", "\n"):
                self._escape()
            else:
                self._add(char, bare=False)
                self._at += 1
        raise _OpenQuotesError

    def _escape(self) -> None:
        following = self._text[self._at + 1 : self._at + 2]
        if following == "\n":
            raise UnsupportedError("line continuation")
        self._add(following or "\\", bare=False)
        self._at += 2

    def _dollar(self, *, is_quoted: bool = False) -> None:
        following = self._text[self._at + 1 : self._at + 2]
        if following in ("(", "["):
            raise UnsupportedError("command substitution or arithmetic")
        if not is_quoted and following in ("'", '"'):
            raise UnsupportedError("$'...' or $\"...\"")
        end = self._at + 1
        if following == "{":
            braced = _BRACED.match(self._text, self._at)
            # `${x@P}` runs the substitutions inside the value.
            if braced is None or braced[0].endswith("@P}"):
                raise UnsupportedError("${...} with more than a plain name inside")
            end = braced.end()
        self._is_computed |= end > self._at + 1 or bool(_EXPANDED.fullmatch(following))
        self._add(self._text[self._at : end], bare=False)
        self._at = end

    def _backtick(self) -> None:
        raise UnsupportedError("command substitution in backticks")

    def _hash(self) -> None:
        if not self._is_word:
            self._end_command()
            raise UnsupportedError("comment")
        self._add("#", bare=True)
        self._at += 1

    def _redirect(self) -> None:
        if self._text.startswith("<<", self._at):
            raise UnsupportedError("here-document or here-string")
        if self._text.startswith(("<(", ">("), self._at):
            raise UnsupportedError("process substitution")
        bare = "".join(self._bare)
        if self._is_word and self._bare == self._parts and _DESCRIPTOR.fullmatch(bare):
            # `sleep 1000>x`: a descriptor to bash, a word to dash.
            if len(bare) > 1:
                raise UnsupportedError("descriptor of several characters")
            self._begin_word()
        self._end_word()
        operator = _REDIRECT.match(self._text, self._at)
        self._at = operator.end() if operator else self._at + 1
        self._is_target = True

    def _ampersand(self) -> None:
        if self._text.startswith("&>", self._at):
            self._end_word()
            self._at += 1
            self._redirect()
            self._is_closed = True
        else:
            self._separator()

    def _separator(self) -> None:
        self._end_command()
        self._at += 1
        self.start = self._at

    def _parenthesis(self) -> None:
        bare = "".join(self._bare)
        if self._is_word and not bare.endswith("=") and not self._text.startswith("()", self._at):
            raise UnsupportedError("pattern with parentheses")
        self._separator()


def _is_pattern(bare: str) -> bool:
    """Whether unquoted text is a file pattern or braces that expand; `[` alone is the test command."""
    if bare in ("[", "[["):
        return False
    return bool(_PATTERN.search(bare)) or ("{" in bare and ("," in bare or ".." in bare))


_SPECIAL: dict[str, Callable[[_Reader], None]] = {
    "'": _Reader._single,
    '"': _Reader._double,
    "\\": _Reader._escape,
    "$": _Reader._dollar,
    "`": _Reader._backtick,
    "#": _Reader._hash,
    "<": _Reader._redirect,
    ">": _Reader._redirect,
    "&": _Reader._ampersand,
    "(": _Reader._parenthesis,
    **dict.fromkeys(";|\n)", _Reader._separator),
}

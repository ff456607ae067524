"""Words in front of the command that is really run: assignments, reserved words, sudo, timeout, env ..."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omnigent.policies.shell.lexing import Word

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^\]]*\])?\+?=", re.ASCII)
MAX_WRAPPERS = 32
_RESERVED = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "coproc"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapper:
    """A program that runs the command in its own arguments.

    `flags` and `long_flags` stand alone, `valued` and `long_valued` take a value. `operands` are words
    between the options and the command (timeout's duration). `shows` flags only describe the command.
    """

    flags: str = ""
    valued: str = ""
    long_flags: tuple[str, ...] = ()
    long_valued: tuple[str, ...] = ()
    operands: int = 0
    shows: str = ""


_NONE = Wrapper()
WRAPPERS: Mapping[str, Wrapper] = {
    "nohup": _NONE,
    "builtin": _NONE,
    "noglob": _NONE,
    "nocorrect": _NONE,
    "busybox": _NONE,
    "toybox": _NONE,
    "time": Wrapper(
        flags="apvqh",
        valued="fo",
        long_flags=("append", "portability", "verbose", "quiet"),
        long_valued=("format", "output"),
    ),
    "exec": Wrapper(flags="cl", valued="a"),
    "command": Wrapper(flags="p", shows="vV"),
    "setsid": Wrapper(flags="cfw", long_flags=("ctty", "fork", "wait")),
    "nice": Wrapper(flags="0123456789", valued="n", long_valued=("adjustment",)),
    "ionice": Wrapper(flags="t", valued="cn", long_flags=("ignore",), long_valued=("class", "classdata")),
    "stdbuf": Wrapper(valued="ioe", long_valued=("input", "output", "error")),
    "timeout": Wrapper(
        flags="fpv",
        valued="ks",
        long_flags=("foreground", "preserve-status", "verbose"),
        long_valued=("kill-after", "signal"),
        operands=1,
    ),
    "doas": Wrapper(flags="ns", valued="uC"),
    "sudo": Wrapper(
        flags="AbBEHiknNPSs",
        valued="ughpCDRrtTU",
        long_flags=(
            *("askpass", "background", "bell", "preserve-env", "set-home", "login", "reset-timestamp"),
            *("non-interactive", "no-update", "preserve-groups", "stdin", "shell"),
        ),
        long_valued=(
            *("user", "group", "host", "prompt", "close-from", "chdir", "chroot", "role", "type"),
            *("command-timeout", "other-user"),
        ),
    ),
    "env": Wrapper(
        flags="i0v",
        valued="uCS",
        long_flags=(
            *("ignore-environment", "null", "debug", "list-signal-handling"),
            *("default-signal", "ignore-signal", "block-signal"),
        ),
        long_valued=("unset", "chdir", "split-string"),
    ),
}


@dataclass(kw_only=True, slots=True)
class Unwrapped:
    """What is really run: `words`; or a `script` of env -S. `fault`: it could not be told."""

    words: Sequence[Word]
    script: Word | None = None
    fault: str = ""


@dataclass(kw_only=True, slots=True)
class _Options:
    rest: Sequence[Word]
    values: dict[str, Word] = field(default_factory=dict)
    shows: bool = False
    fault: str = ""


def unwrap(words: Sequence[Word]) -> Unwrapped:
    """Drop what stands in front of the command."""
    wrapper = ""
    for _ in range(MAX_WRAPPERS):
        words = _without_assignments(words, wrapper)
        if not words:
            return Unwrapped(words=words)
        name = words[0].text.rsplit("/", 1)[-1]
        known = WRAPPERS.get(name)
        if known is None or words[0].is_computed:
            return Unwrapped(words=words)
        options = _options(words[1:], known)
        if options.shows:
            return Unwrapped(words=words)
        if options.fault:
            return Unwrapped(words=words, fault=f"{name}: {options.fault}")
        script = options.values.get("S") or options.values.get("split-string")
        if name == "env" and script is not None:
            return Unwrapped(words=options.rest, script=script)
        words, wrapper = options.rest[known.operands :], name
        if not words and name in ("sudo", "doas", "busybox", "toybox"):
            return Unwrapped(words=words, fault=f"{name} without a command")
    return Unwrapped(words=words, fault="too many wrappers")


def _without_assignments(words: Sequence[Word], wrapper: str) -> Sequence[Word]:
    at = 0
    while at < len(words):
        text = words[at].text
        is_assignment = "=" in text if wrapper == "env" else bool(_ASSIGNMENT.match(text))
        if not is_assignment and text not in _RESERVED:
            break
        at += 1
    return words[at:]


def _options(words: Sequence[Word], wrapper: Wrapper) -> _Options:
    """Read the options of a wrapper; `rest` begins with its first operand."""
    found = _Options(rest=words)
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        word = words[at]
        at += 1
        if word.text == "--":
            break
        if word.is_computed:
            found.fault = "computed option"
        elif word.text.startswith("--"):
            at += _read_long(word.text[2:], words[at:], wrapper, found)
        elif word.text != "-":
            at += _read_cluster(word.text[1:], words[at:], wrapper, found)
        if found.fault or found.shows:
            break
    found.rest = words[at:]
    return found


def _read_long(text: str, following: Sequence[Word], wrapper: Wrapper, found: _Options) -> int:
    """Take `--flag`, `--flag=value` or `--flag value`, possibly abbreviated; how many words it took more."""
    typed, has_value, value = text.partition("=")
    known = [flag for flag in (*wrapper.long_flags, *wrapper.long_valued) if flag.startswith(typed)]
    flag = typed if typed in known else known[0] if len(known) == 1 else ""
    if not flag:
        found.fault = f"unknown option --{typed}"
        return 0
    if flag in wrapper.long_flags:
        return 0
    if has_value:
        found.values[flag] = Word(value)
        return 0
    return _take(flag, following, found)


def _read_cluster(text: str, following: Sequence[Word], wrapper: Wrapper, found: _Options) -> int:
    """Take `-abc`, where one letter may take the rest or the next word as its value."""
    for at, letter in enumerate(text):
        if letter in wrapper.shows:
            found.shows = True
            return 0
        if letter in wrapper.valued:
            if text[at + 1 :]:
                found.values[letter] = Word(text[at + 1 :])
                return 0
            return _take(letter, following, found)
        if letter not in wrapper.flags:
            found.fault = f"unknown option -{letter}"
            return 0
    return 0


def _take(flag: str, following: Sequence[Word], found: _Options) -> int:
    if not following:
        found.fault = f"option {flag} without a value"
        return 0
    found.values[flag] = following[0]
    return 1

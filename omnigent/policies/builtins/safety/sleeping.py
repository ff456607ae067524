"""Deny long sleeps in shell commands. What cannot be read is asked about, never let through."""

import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from omnigent.policies.builtins.parameters import whole_number
from omnigent.policies.calls import SHELL_TOOLS, Answer, Call, Event, Handler, ask, call_of, deny
from omnigent.policies.shell import SHELLS, Parsed, Segment, parse

MAX_DIGITS = 40
_SLEEPS = frozenset({"sleep", "gsleep"})
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(
    r"\+?(infinity|inf|0x[\da-f]+|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)([smhd]?)", re.I
)
_QUOTING = re.compile(r"\\\n|['\"\\]")
_SPACES = re.compile(r"\$\{?IFS\}?")
_MENTION = re.compile(r"\bg?sleep\b([^\n;|&]*)", re.I)
_LITERAL = re.compile(r"(?<![\w.])" + _DURATION.pattern + r"(?![\w.])", re.I)

# Programs that only read, print or name their words, with the subcommands of which that is true.
_READERS: Mapping[str, frozenset[str] | None] = {
    **dict.fromkeys(
        ("echo", "printf", "grep", "egrep", "fgrep", "cat", "head", "tail", "wc", "ls", "which"), None
    ),
    **dict.fromkeys(
        ("whereis", "type", "test", "[", "[[", "file", "stat", "diff", "pgrep", "pkill", "kill"), None
    ),
    **dict.fromkeys(
        ("killall", "ps", "mkdir", "touch", "rm", "cd", "pushd", "pytest", "for", "case", "command"), None
    ),
    "git": frozenset({"commit", "log", "show", "diff", "add", "tag", "branch", "checkout", "status"}),
    "gh": frozenset({"pr", "issue", "release"}),
}

_PLAIN_SPAWNERS = frozenset(
    {
        *("find", "fd", "xargs", "make", "gmake", "python", "pypy", "perl", "ruby", "awk", "gawk", "mawk"),
        *("node", "php"),
    }
)
_RUN_TEXT = SHELLS | {"eval", "env", "busybox", "sudo", "exec"}
_EXECS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_SINGLE_QUOTED = re.compile(r"'[^']*'")


def block_long_sleep(*, max_seconds: int = 5) -> Handler:
    """Deny a shell command or a sleep tool that sleeps longer than `max_seconds` in one go."""
    longest = whole_number("max_seconds", max_seconds, 0)

    def gate(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None:
            return None
        if call.name in SHELL_TOOLS:
            return _worst(answer for line in _lines(call) for answer in _of_command(line, longest))
        if call.name == "sleep" or call.name.endswith("__sleep"):
            return _of_tool(call, longest)
        return None

    return gate


def _of_tool(call: Call, longest: int) -> Answer | None:
    given = [call.arguments[key] for key in ("seconds", "duration") if key in call.arguments]
    if not given:
        return ask(f"{call.name} does not say for how long it sleeps")
    for value in given:
        seconds = None if isinstance(value, bool) else _seconds(str(value))
        if seconds is None:
            return ask(f"{call.name} does not say in seconds for how long it sleeps")
        if seconds > longest:
            return _too_long(seconds, longest)
    return None


def _lines(call: Call) -> Iterator[str]:
    """The command lines a shell tool may be meant to run; lists of words are read with and without quotes."""
    for key in ("command", "cmd"):
        given = call.arguments.get(key)
        if isinstance(given, list | tuple):
            words = [str(word) for word in given]
            yield " ".join(words)
            yield shlex.join(words)
        elif given:
            yield str(given)


def _of_command(command: str, longest: int) -> Iterator[Answer | None]:
    parsed = parse(command)
    mentioned = _mentioned(command)
    for segment in parsed.segments:
        yield _of_segment(segment, mentioned, longest)
    yield _of_unread(parsed, longest)


def _worst(answers: Iterable[Answer | None]) -> Answer | None:
    """The first DENY, or else the first ASK."""
    given = [answer for answer in answers if answer is not None]
    return next((answer for answer in given if answer["result"] == "DENY"), given[0] if given else None)


def _of_unread(parsed: Parsed, longest: int) -> Answer | None:
    if parsed.is_supported and not parsed.is_too_deep:
        return None
    _is_named, seconds = _mentioned(parsed.unread)
    if seconds > longest:
        return _too_long(seconds, longest)
    return _unclear(parsed.fault or "commands are nested too deep", longest)


def _of_segment(segment: Segment, mentioned: tuple[bool, float], longest: int) -> Answer | None:
    if not segment.is_readable:
        # The text that such a command runs may stand anywhere: `echo sleep 9 | sh`, `S=sleep; $S 9`.
        is_named, seconds = mentioned
        if seconds > longest:
            return _too_long(seconds, longest)
        return _unclear(segment.fault, longest) if is_named or _is_opaque(segment) else None
    if segment.name.lower() in _SLEEPS:
        total = _total(segment.words[1:])
        if total is None:
            return _unclear("the duration is not a plain number", longest)
        return _too_long(total, longest) if total > longest else None
    if _may_run_sleep(segment):
        return _unclear(f"{segment.name} may run sleep", longest)
    return None


def _may_run_sleep(segment: Segment) -> bool:
    """Whether another command names sleep in a place where it could be run."""
    words = " ".join(segment.words)
    if _names_sleep(words):
        return not _only_reads(segment)
    # `GIT_PAGER='sleep 9' git log`: what was dropped in front of the command counts too.
    return _names_sleep(segment.raw) and not _names_sleep(" ".join(segment.redirects))


def _is_opaque(segment: Segment) -> bool:
    """Whether an unreadable command that does not name sleep could still be one."""
    if segment.name.rstrip("0123456789.") not in _PLAIN_SPAWNERS:
        return True
    words = segment.words
    names = {word.rsplit("/", 1)[-1] for word in words[1:]}
    shown = segment.raw if '"' in segment.raw else _SINGLE_QUOTED.sub("", segment.raw)
    return bool(names & _RUN_TEXT) or "$" in shown or _runs_placeholder(words)


def _runs_placeholder(words: tuple[str, ...]) -> bool:
    """Whether find or xargs runs a program whose name it finds: `find -exec {}`, `xargs -I% %`."""
    for at, (word, following) in enumerate(pairwise(words)):
        if word in _EXECS and "{}" in following:
            return True
        if word in ("-I", "-J") and following in "".join(words[at + 2 : at + 3]):
            return True
        if word.startswith("-I") and word[2:] and word[2:] in following:
            return True
    return False


def _only_reads(segment: Segment) -> bool:
    wanted = _READERS.get(segment.name, frozenset())
    # Some builtins evaluate array indexes: `test -v 'a[$(sleep 9)]'`.
    if any("$(" in word or "`" in word for word in segment.words):
        return False
    return wanted is None or bool(set(segment.words[1:2]) & wanted)


def _names_sleep(text: str) -> bool:
    return _mentioned(text)[0]


def _mentioned(text: str) -> tuple[bool, float]:
    """Whether the text names sleep once its quoting is gone, and the longest time written after it."""
    plain = _SPACES.sub(" ", _QUOTING.sub("", text))
    named = [found[1] for found in _MENTION.finditer(plain)]
    literals = [_value(found) for rest in named for found in _LITERAL.finditer(rest)]
    return bool(named), max(literals, default=0)


def _total(words: Iterable[str]) -> float | None:
    """The seconds of `sleep`'s words together; None when one of them is no duration."""
    total = 0.0
    for word in words:
        if word in ("--help", "--version"):
            return 0
        if word == "--":
            continue
        seconds = _seconds(word)
        if seconds is None:
            return None
        total += seconds
    return total


def _seconds(word: str) -> float | None:
    found = _DURATION.fullmatch(word.strip())
    return None if found is None else _value(found)


def _value(found: re.Match[str]) -> float:
    number = found[1].lower()
    if len(number) > MAX_DIGITS:
        return math.inf
    amount = float(int(number, 16)) if number.startswith("0x") else float(number)
    return amount * _UNITS[found[2].lower()]


def _too_long(seconds: float, longest: int) -> Answer:
    return deny(f"sleeping for {seconds:g} seconds is not allowed; the limit is {longest}")


def _unclear(why: str, longest: int) -> Answer:
    return ask(f"the command might sleep longer than {longest} seconds: {why}")


ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.block_long_sleep",
    "kind": "factory",
    "name": "Block long sleep",
    "description": "Deny shell sleep commands longer than a configured threshold.",
    "params_schema": {
        "type": "object",
        "properties": {
            "max_seconds": {
                "type": "integer",
                "description": "Maximum allowed sleep duration in seconds.",
                "default": 5,
            }
        },
    },
    "aliases": ["omnigent.policies.builtins.safety.block_long_sleep"],
}

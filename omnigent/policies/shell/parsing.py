"""A command line -> its simple commands, with nested ones opened."""

import re
import shlex
from collections.abc import Sequence

from omnigent.policies.shell.lexing import Simple, Word, split
from omnigent.policies.shell.parsed import MAX_DEPTH, Parsed, Segment
from omnigent.policies.shell.wrapping import unwrap

MAX_LENGTH = 32_768
"""Longer command lines are not read at all, so that a gate's time is bounded."""

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash", "mksh", "rbash", "fish", "csh", "tcsh"})
SPAWNERS = frozenset(
    {
        *("find", "fd", "xargs", "parallel", "make", "gmake", "watch", "entr"),
        *("perl", "python", "pypy", "ruby", "awk", "gawk", "mawk", "node", "php", "lua", "tclsh", "expect"),
        *("su", "runuser", "ssh", "chroot", "unshare", "nsenter", "flock", "strace", "ltrace", "gdb"),
        *("taskset", "chrt", "script", "screen", "tmux", "at", "batch", "systemd-run", "start-stop-daemon"),
        *("unbuffer", "chronic", "caffeinate", "setpriv", "prlimit", "pwsh", "powershell"),
    }
)
_VERSION = re.compile(r"[\d.]+$")
_SHELL_VALUED = frozenset({"--rcfile", "--init-file"})


def parse(command: str) -> Parsed:
    """The simple commands of a command line, in order; never raises."""
    found = _Finder()
    found.read(command, 0)
    return Parsed(
        segments=tuple(found.segments),
        fault=found.fault,
        unread="\n".join(found.unread),
        is_too_deep=found.is_too_deep,
    )


class _Finder:
    """Gathers the segments of a command line and of those inside it."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.fault = ""
        self.unread: list[str] = []
        self.is_too_deep = False

    def read(self, command: str, depth: int) -> None:
        """Add the segments of one command line."""
        if depth > MAX_DEPTH:
            self.is_too_deep = True
            self.unread.append(command)
            return
        if len(command) > MAX_LENGTH:
            self.fault = self.fault or "too long"
            self.unread.append(command)
            return
        found = split(command)
        for simple in found.commands:
            self._add(simple, depth)
        if found.fault:
            self.fault = self.fault or found.fault
            self.unread.append(found.unread)

    def _add(self, simple: Simple, depth: int) -> None:
        unwrapped = unwrap(simple.words)
        words, fault = unwrapped.words, simple.fault or unwrapped.fault
        if not words and not unwrapped.script and not fault:
            return
        script = unwrapped.script
        if script is not None:
            script = Word(" ".join([script.text, *(_quoted(word) for word in words)]), script.is_computed)
            if "\\" in script.text or "$" in script.text:
                fault = fault or "env -S with escapes"
        elif not fault:
            script, fault = _script_of(words)
        if script is not None and script.is_computed:
            fault = fault or "nested command is computed"
        fault = fault or ("" if script else _why_unreadable(words))
        if fault or script is None:
            self.segments.append(
                Segment(
                    words=tuple(word.text for word in words),
                    raw=simple.raw,
                    depth=depth,
                    redirects=simple.redirects,
                    fault=fault,
                )
            )
        if script is not None:
            self.read(script.text, depth + 1)


def _quoted(word: Word) -> str:
    """A word as the inner command line has it; a computed one stays open to be seen as computed."""
    return word.text if word.is_computed else shlex.quote(word.text)


def _script_of(words: Sequence[Word]) -> tuple[Word | None, str]:
    """The command line that `eval` or `sh -c` runs, and what keeps it from being seen."""
    name = words[0].text.rsplit("/", 1)[-1]
    if words[0].is_computed:
        return None, ""
    if name in ("source", "."):
        return None, "a script that is not shown"
    if name == "eval":
        inner = words[2:] if words[1:] and words[1].text == "--" else words[1:]
        return Word(" ".join(word.text for word in inner), any(word.is_computed for word in inner)), ""
    if name not in SHELLS:
        return None, ""
    has_script, at = False, 1
    while at < len(words) and words[at].text[:1] in ("-", "+"):
        text = words[at].text
        at += 1
        if text in ("--", "-"):
            break
        if text.startswith("--"):
            at += text in _SHELL_VALUED
        else:
            has_script |= "c" in text and text.startswith("-")
            at += text.count("o") + text.count("O")
    if not has_script or at >= len(words):
        return None, "a shell whose script is not shown"
    return words[at], ""


def _why_unreadable(words: Sequence[Word]) -> str:
    first = words[0]
    name = first.text.rsplit("/", 1)[-1]
    if first.is_computed or first.text.startswith("="):
        return "the name of the command is computed"
    if first.text.startswith("-"):
        return "an option in the place of the command"
    if name in SPAWNERS or _VERSION.sub("", name) in SPAWNERS:
        return f"{name} runs other commands"
    return ""

"""The harm of a whole command line: the worst of all its commands, also of those that are hidden."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from omnigent.policies.builtins.orchestration.findings import HARMLESS, Finding, Harm, worst
from omnigent.policies.builtins.orchestration.publishing import DEPLOYERS, of_deployer, of_gh, of_git
from omnigent.policies.builtins.orchestration.removals import folder_after, of_rm
from omnigent.policies.shell import Segment, parse

MAX_QUOTED = 3
"""How many times a quoted word is read as a command line of its own."""
MAX_NAMED = 8
"""How many programs named in another's arguments are looked at, so that the time is bounded."""

_SHELLS = r"(?:sh|bash|zsh|dash|ksh|ash|fish|eval|source|\.)"
_START = r"(?:^|[;&|(`\n]|\$\()\s*"
# A shell or a computed name where a command begins: whatever it runs is not in the text.
_RUNS_UNSEEN = re.compile(
    rf"{_START}(?:(?:sudo|env|exec|command|nohup|time)\s+)*(?:[\w./~-]*/)?{_SHELLS}(?=[\s;&|<)]|$)|{_START}[$`]"
    r"|\$'[^']*\\"
)
_RISKY_WORDS = re.compile(
    r"\b(?:rm|rmtree|push|send-pack|kubectl|helm|terraform|databricks|GIT_CONFIG\w*)\b|-delete\b"
    r"|--hard\b|\bgh\b"
)
_QUOTES = re.compile(r"\\\n|[\\'\"]|\$(?=['\"])")
_LOOSE_SPLIT = re.compile(r"&&|\|\||[;|&\n()`]")
_ASSIGNED = re.compile(r"\w+=(.*)", re.DOTALL)
_PRINTERS = frozenset({"echo", "printf", "grep", "egrep", "fgrep", "rg", "man", "which", "type", "git", "gh"})
_GIT_RUNNERS = frozenset({"submodule", "bisect", "rebase", "filter-branch", "for-each-repo", "config"})

_INTERPRETERS = frozenset({"python", "pypy", "perl", "ruby", "node", "php", "lua"})
_READ_INPUT = ("a shell", "sudo", "doas", "busybox", "toybox")

_PROGRAMS: Mapping[str, Callable[[Sequence[str]], Finding]] = {
    "git": of_git,
    "gh": of_gh,
    **dict.fromkeys(DEPLOYERS, of_deployer),
}


def of_command(command: str, quoted: int = 0) -> Finding:
    """The worst that a command line would do, as far as can be told; what cannot be told is UNREADABLE."""
    parsed = parse(command)
    found = [HARMLESS]
    folder = ""
    for segment in parsed.segments:
        found.append(_of_segment(segment, folder, quoted))
        if segment.is_readable and segment.name in ("cd", "pushd"):
            folder = folder_after(segment.words, folder)
    hidden = [segment for segment in parsed.segments if not segment.is_readable]
    if parsed.is_supported and not parsed.is_too_deep and not hidden:
        return worst(*found)
    if parsed.is_too_deep:
        found.append(Finding(Harm.UNREADABLE, "nests commands too deeply to be read"))
    text = _QUOTES.sub("", command)
    unseen = not parsed.is_supported and (_RUNS_UNSEEN.search(text) or _RUNS_UNSEEN.search(command))
    if unseen or _RISKY_WORDS.search(text):
        why = parsed.fault or (hidden[0].fault if hidden else "")
        found.append(Finding(Harm.UNREADABLE, f"cannot be read safely ({why})"))
    return worst(*found, _of_loose(command, quoted))


def _of_segment(segment: Segment, folder: str, quoted: int) -> Finding:
    words = segment.words
    assigned = _of_assignments(segment, quoted)
    if not segment.is_readable:
        return worst(assigned, _of_hidden(segment))
    if segment.name == "rm":
        return worst(assigned, of_rm(words, folder))
    program = _PROGRAMS.get(segment.name)
    own = program([segment.name, *words[1:]]) if program else HARMLESS
    is_printer = segment.name in _PRINTERS and not _GIT_RUNNERS.intersection(words[1:])
    return worst(assigned, own, HARMLESS if is_printer else _of_arguments(words[1:], quoted))


def _of_hidden(segment: Segment) -> Finding:
    """Of what runs something else. A script in a file is everyday work; a script from nowhere is not."""
    computed = Finding(Harm.UNREADABLE, f"cannot be read: {segment.fault}")
    if not segment.words or segment.name in ("find", "xargs"):
        return HARMLESS
    if segment.words[0].startswith("=") or any(sign in segment.words[0] for sign in "$`*?[{"):
        return computed
    has_file = segment.words[1:] and not all(word.startswith("-") for word in segment.words[1:])
    reads_input = segment.fault.startswith(_READ_INPUT) or segment.name.rstrip("0123456789.") in _INTERPRETERS
    asks_version = {"-V", "-v", "--version", "--help"}.intersection(segment.words)
    is_opaque = reads_input and not has_file and not asks_version
    return computed if is_opaque or segment.fault.startswith(("nested", "env -S")) else HARMLESS


def _of_arguments(words: Sequence[str], quoted: int) -> Finding:
    """Of what a program that we do not know may run: `ssh host rm -rf /`, `trap 'rm -rf x' EXIT`."""
    named = 0
    for at, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name == "rm" or name in _PROGRAMS:
            named += 1
            if named > MAX_NAMED:
                return Finding(Harm.UNREADABLE, "names too many programs to be read safely")
            inner = of_rm(words[at:]) if name == "rm" else _PROGRAMS[name](words[at:])
        elif re.search(r"\s", word):
            inner = _of_quoted(word, quoted)
        else:
            continue
        if inner.harm is not Harm.NONE:
            return Finding(Harm.UNREADABLE, f"may run a command that {inner.why}")
    return HARMLESS


def _of_assignments(segment: Segment, quoted: int) -> Finding:
    """Of variables set for one command: GIT_SSH_COMMAND, PAGER and the like are run."""
    if "GIT_CONFIG" in segment.raw:
        return Finding(Harm.UNREADABLE, "gives git a configuration that may change what it does")
    if "=" not in segment.raw:
        return HARMLESS
    for word in _split(segment.raw):
        if word in segment.words[:1]:
            break
        value = _ASSIGNED.fullmatch(word)
        if value is None:
            continue
        inner = _of_quoted(value[1], quoted)
        if inner.harm is not Harm.NONE:
            return Finding(Harm.UNREADABLE, f"sets a variable to a command that {inner.why}")
    return HARMLESS


def _of_quoted(text: str, quoted: int) -> Finding:
    if quoted < MAX_QUOTED:
        return of_command(text, quoted + 1)
    risky = _RISKY_WORDS.search(_QUOTES.sub("", text))
    return Finding(Harm.UNREADABLE, "nests commands too deeply to be read") if risky else HARMLESS


def _of_loose(command: str, quoted: int) -> Finding:
    """A second, rougher reading of what could not be read well: only the plain cases in it count."""
    found = [HARMLESS]
    for piece in _LOOSE_SPLIT.split(command.replace("\\\n", "")):
        segments = parse(piece.partition(" #")[0]).segments
        found += [_of_segment(segment, "", max(quoted, MAX_QUOTED)) for segment in segments]
    return worst(*(finding for finding in found if finding.harm is not Harm.RISKY), HARMLESS)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()

"""What a command line wants to do on GitHub; what cannot be read is an operation in doubt."""

import re
from collections.abc import Iterator, Sequence

from omnigent.policies.builtins.github import program_names as known
from omnigent.policies.builtins.github.access import Operation
from omnigent.policies.builtins.github.gh import gh_operation
from omnigent.policies.builtins.github.git import git_operation
from omnigent.policies.builtins.github.repositories import remote_of
from omnigent.policies.shell import Segment, parse
from omnigent.policies.shell.parsing import SPAWNERS

_QUOTES = re.compile(r"[\"'\\]")
_MENTION = re.compile(r"(?<![\w.-])(?:git|gh|hub)(?![\w+:@])", re.IGNORECASE)
_SETTING = re.compile(r"\b((?:GIT|GH|GITHUB)_\w+|HOME|XDG_CONFIG_HOME|PATH|LD_\w+|BASH_ENV|ENV)\+?=")
_COMPUTED = re.compile(r"[$`*?\[]|\{.*,.*\}")
_METHOD = re.compile(r"[A-Z]{3,}|[\w-]+:?=.*")


def command_operations(command: str) -> list[Operation]:
    """Everything the command line does on GitHub, in order."""
    parsed = parse(command)
    found = [operation for segment in parsed.segments for operation in _of(segment)]
    if not parsed.is_supported:
        found.append(_doubtful("command", f"it cannot be read: {parsed.fault}"))
    if parsed.is_too_deep:
        found.append(_doubtful("command", "it is nested too deeply"))
    settings = set(_SETTING.findall(_QUOTES.sub("", command))) - known.SAFE_ENVIRONMENT
    if found and settings:
        found.append(_doubtful("command", f"{min(settings)} can change where git and gh go"))
    return found


def _doubtful(what: str, doubt: str) -> Operation:
    return Operation(what=what, kind="write", doubt=doubt)


def _of(segment: Segment) -> Iterator[Operation]:
    words = segment.words
    name = _program(words[0]) if words else ""
    if name in known.SHELLS:
        yield _doubtful(name, "it is not shown what the shell runs")
    elif words and _COMPUTED.search(words[0]):
        yield _doubtful("command", "which program runs is only known when it runs")
    elif not segment.is_readable:
        if name.rstrip("0123456789.") not in SPAWNERS or _is_mentioned(segment.raw):
            yield _doubtful("command", f"it cannot be read: {segment.fault}")
    elif name in ("git", "gh") or name.startswith("git-"):
        yield from _of_git_or_gh(name, words[1:])
    elif name in known.DOWNLOADERS:
        yield from _of_download(words)
    elif name not in known.TALKING and _is_mentioned(segment.raw):
        yield _doubtful(name or "command", "it may run git or gh")


def _of_git_or_gh(name: str, rest: Sequence[str]) -> Iterator[Operation]:
    if name.startswith("git-"):
        rest = [name.removeprefix("git-"), *rest]
    operation = gh_operation(rest) if name == "gh" else git_operation(rest)
    if operation is not None:
        yield operation


def _of_download(words: Sequence[str]) -> Iterator[Operation]:
    """Programs that fetch addresses can call the API, too."""
    called = [word for word in words if any(host in word.lower() for host in known.API_HOSTS)]
    if not called:
        return
    repos = [remote_of(word) for word in called]
    yield Operation(
        what=_program(words[0]),
        kind="read",
        repos=frozenset(repo for repo in repos if repo is not None),
        is_sure=None not in repos,
        doubt="this may write to GitHub" if any(map(_may_send, words[1:])) else "",
    )


def _may_send(word: str) -> bool:
    if word.startswith("--"):
        return word.startswith(known.SENDING)
    if word.startswith("-"):
        return not known.SENDING_LETTERS.isdisjoint(word)
    return _METHOD.fullmatch(word) is not None


def _program(word: str) -> str:
    """The program's name without folder; file systems that ignore case run GIT as git."""
    return word.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe")


def _is_mentioned(raw: str) -> bool:
    return _MENTION.search(_QUOTES.sub("", raw)) is not None or _MENTION.search(raw) is not None

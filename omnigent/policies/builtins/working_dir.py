"""Keeps an agent's commands in the directory it was started in, and away from other git worktrees."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omnigent.policies.calls import SHELL_TOOLS, Answer, Event, Handler, call_of, command_of, verdict
from omnigent.policies.shell import Segment, parse

_ACTIONS = ("deny", "ask")
_CHANGERS = frozenset({"cd", "chdir", "pushd", "popd"})
_WORKTREE_ACTIONS = frozenset({"add", "move", "remove"})
_GIT_VALUED = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--super-prefix", "--config-env"}
)
# These take words as commands for later.
_DEFERRING = frozenset({"alias", "trap", "hash", "enable"})
_PRINTERS = frozenset({"echo", "printf", "grep", "rg", "man", "which", "type"})
_QUOTES = re.compile(r"[\\'\"]")
_LIKE_CHANGE = re.compile(r"(?<![\w/-])(?:cd|chdir|pushd|popd)(?![\w-])|--work-tree")
_LIKE_GIT = re.compile(r"\bgit\b")
_LIKE_FOLDER = re.compile(r"\s-C")
_LIKE_WORKTREE = re.compile(r"\bworktree\b")
# Wrappers that change the directory by themselves: the flag that does, and those that take a value.
_WRAPPERS = {
    "env": ("C", frozenset({"-u", "--unset"})),
    "sudo": (
        "D",
        frozenset({"-u", "-g", "-h", "-p", "-C", "-R", "-r", "-t", "-T", "-U", "--user", "--group"}),
    ),
}
_GIT_SETTINGS = re.compile(r"\bGIT_(?:WORK_TREE|CONFIG\w*)=")
_GIT_RUNNERS = frozenset({"submodule", "bisect", "rebase", "filter-branch", "for-each-repo", "config"})
_COMPUTED = re.compile(r"[$`*?\[{]")

POLICY_REGISTRY: list[dict[str, Any]] = [
    {
        "handler": "omnigent.policies.builtins.working_dir.block_working_dir_changes",
        "kind": "factory",
        "description": "Stops shell commands that leave the working directory or change git worktrees. "
        "A command that cannot be read counts as one that does.",
        "params_schema": {
            "type": "object",
            "properties": {
                "block_cd": {
                    "type": "boolean",
                    "default": True,
                    "description": "Stop cd, pushd, popd and git's -C and --work-tree.",
                },
                "block_worktree": {
                    "type": "boolean",
                    "default": True,
                    "description": "Stop git worktree add, move and remove.",
                },
                "allowed_dirs": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "default": [],
                    "description": "Directories that commands may change to, with all below them.",
                },
                "action": {
                    "type": "string",
                    "enum": list(_ACTIONS),
                    "default": "deny",
                    "description": "What happens to such a command.",
                },
                "shell_tools": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "minItems": 1,
                    "default": sorted(SHELL_TOOLS),
                    "description": "The tools whose command is looked at.",
                },
            },
            "additionalProperties": False,
        },
    }
]


def block_working_dir_changes(
    block_cd: bool = True,  # noqa: FBT001, FBT002 - the parameters an operator may write, one to one
    block_worktree: bool = True,  # noqa: FBT001, FBT002 - the same
    allowed_dirs: Sequence[str] = (),
    action: str = "deny",
    shell_tools: Sequence[str] | None = None,
) -> Handler:
    """Deny (or ask about) a command when any part of it changes directory, or may do so unseen."""
    if not isinstance(block_cd, bool) or not isinstance(block_worktree, bool):
        raise ValueError("block_cd and block_worktree must be true or false")
    if not block_cd and not block_worktree:
        raise ValueError("block_cd and block_worktree are both off: nothing would be blocked")
    if not isinstance(action, str) or action.lower() not in _ACTIONS:
        raise ValueError("action must be deny or ask")
    tools = frozenset(
        _checked_names("shell_tools", sorted(SHELL_TOOLS) if shell_tools is None else shell_tools)
    )
    if not tools:
        raise ValueError("shell_tools must name one or more tools")
    allowed = tuple(_normalised(name) for name in _checked_names("allowed_dirs", allowed_dirs))
    gate = _Gate(block_cd=block_cd, block_worktree=block_worktree, allowed=allowed)

    def decide(event: Event) -> Answer | None:
        call = call_of(event)
        command = command_of(call, tools) if call else None
        reason = gate.violation(command) if command else None
        return verdict(action, f"Stay in the working directory: {reason}.") if reason else None

    return decide


@dataclass(frozen=True, kw_only=True, slots=True)
class _Gate:
    """What is blocked. Every method tells the violation in words, or None."""

    block_cd: bool
    block_worktree: bool
    allowed: tuple[str, ...]

    def violation(self, command: str) -> str | None:
        parsed = parse(command)
        if parsed.is_too_deep:
            return "the command nests others too deeply to be read"
        plain = _QUOTES.sub("", command)
        found = (self._of_segment(segment, plain) for segment in parsed.segments)
        reason = next((text for text in found if text), None)
        if reason is None and not parsed.is_supported:
            return f"the command cannot be read ({parsed.fault})"
        # Assignments that stand alone leave no segment, and still hold for what follows.
        if reason is None and _GIT_SETTINGS.search(plain):
            return "git is given another work tree or configuration"
        return reason

    def _of_segment(self, segment: Segment, line: str) -> str | None:
        if self.block_cd and _is_started_elsewhere(segment.raw):
            return "the command is started in another directory"
        words = segment.words
        if not segment.is_readable:
            if words and (_COMPUTED.search(words[0]) or words[0] == "eval"):
                return f"the command cannot be read ({segment.fault})"
            # Open quotes may have swallowed the rest of the line.
            return self._alike(segment.raw if words else line, segment.fault)
        if segment.name in _CHANGERS:
            return self._of_change(words, line)
        if segment.name in _DEFERRING:
            return self._alike(segment.raw, f"{segment.name} takes commands for later")
        if segment.name in _PRINTERS:
            return None
        return self._of_arguments(segment)

    def _of_arguments(self, segment: Segment) -> str | None:
        """A git command, be it run by a program that we do not know."""
        for at, word in enumerate(segment.words):
            if word.rsplit("/", 1)[-1] == "git":
                return self._of_git(segment.words[at:])
            if at and re.search(r"\s", word) and segment.words[at - 1].startswith("-"):
                found = self._alike(word, "an argument looks like a command")
                if found and "c" in segment.words[at - 1]:
                    return found
        return None

    def _of_change(self, words: Sequence[str], line: str) -> str | None:
        if not self.block_cd:
            return None
        targets = list(words[1:])
        while targets and re.fullmatch(r"-[LPe@n]+", targets[0]):
            targets.pop(0)
        if targets[:1] == ["--"]:
            targets.pop(0)
        elif targets and re.match(r"[-+]", targets[0]):
            return f"{words[0]} {targets[0]}"
        if words[0] != "popd" and len(targets) == 1 and "CDPATH" not in line and self._allows(targets[0]):
            return None
        return " ".join([words[0], *targets])

    def _of_git(self, words: Sequence[str]) -> str | None:
        at = 1
        while at < len(words) and words[at].startswith("-"):
            option, has_value, value = words[at].partition("=")
            takes_next = option in _GIT_VALUED and not has_value
            if takes_next:
                value = words[at + 1] if at + 1 < len(words) else ""
            found = self._of_git_option(option, value)
            if found:
                return found
            at += 2 if takes_next else 1
        action, rest = (words[at], words[at + 1 :]) if at < len(words) else ("", ())
        if _COMPUTED.search(action):
            return "the action of git is computed"
        if action in _GIT_RUNNERS:
            return self._alike(" ".join(rest), f"git {action} runs other commands")
        named = next((word for word in rest if not word.startswith("-")), "")
        if action != "worktree" or not self.block_worktree:
            return None
        is_change = named in _WORKTREE_ACTIONS or _COMPUTED.search(named)
        return f"git worktree {named}" if is_change else None

    def _of_git_option(self, option: str, value: str) -> str | None:
        if option == "-c" or option.startswith("--config-env"):
            changes = value.lower().startswith(("alias.", "core.worktree")) or _COMPUTED.search(value)
            return "git is given another configuration" if changes or option != "-c" else None
        if not self.block_cd or not option.startswith(("-C", "--work-tree")):
            return None
        return None if self._allows(value) else f"git {option} {value}"

    def _alike(self, text: str, fault: str) -> str | None:
        plain = _QUOTES.sub("", text)
        git = _LIKE_GIT.search(plain)
        is_change = _LIKE_CHANGE.search(plain) or (git and _LIKE_FOLDER.search(plain, git.end()))
        is_worktree = _LIKE_WORKTREE.search(plain)
        is_alike = (self.block_cd and is_change) or (self.block_worktree and is_worktree)
        return f"the command cannot be read ({fault})" if is_alike else None

    def _allows(self, target: str) -> bool:
        if not target or _COMPUTED.search(target):
            return False
        path = _normalised(target)
        if target.startswith("~") and ".." in target.split("/"):
            return False  # a home directory is not where its name stands
        return any(_is_below(path, allowed) for allowed in self.allowed)


def _is_started_elsewhere(raw: str) -> bool:
    """`env -C folder command`, `sudo --chdir=folder command`."""
    flag, valued, is_value = "", frozenset[str](), False
    for word in _QUOTES.sub("", raw).split():
        name = word.rsplit("/", 1)[-1]
        if name in _WRAPPERS:
            flag, valued = _WRAPPERS[name]
        elif flag and word.startswith("-"):
            is_short = not word.startswith("--") and flag in word and word not in valued
            if is_short or word.startswith("--chd") or word in ("--c", "--ch"):
                return True
        elif flag and not is_value and "=" not in word:
            flag = ""
        is_value = word in valued
    return False


def _is_below(path: str, allowed: str) -> bool:
    if allowed == ".":
        return not path.startswith(("/", "~")) and path.split("/")[0] != ".."
    return path == allowed or path.startswith(f"{allowed.rstrip('/')}/")


def _normalised(path: str) -> str:
    """Without `.`, `..`, doubled and closing slashes; links are not followed."""
    normal = posixpath.normpath(path)
    return f"/{normal.lstrip('/')}" if path.startswith("/") else normal


def _checked_names(parameter: str, value: Any) -> tuple[str, ...]:
    """Checked names; `Any` because it is what an operator wrote."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{parameter} must be a list of names")
    return tuple(value)

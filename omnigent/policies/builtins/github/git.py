"""What a git command wants to do on GitHub."""

import re
from collections.abc import Sequence

from omnigent.policies.builtins.github import git_names as known
from omnigent.policies.builtins.github.access import Operation, branch_of, is_tag_ref
from omnigent.policies.builtins.github.options import Options, read_options
from omnigent.policies.builtins.github.repositories import remote_of

_EXPANDED = re.compile(r"\$[\w{(@*#?!$-]|`|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_PATTERN = re.compile(r"[*?\[]")
# `ext::`, `fd::` and the like hand the rest to another program.
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_VERSION = re.compile(r"v?\d+(\.\d+)+\S*")


def git_operation(words: Sequence[str]) -> Operation | None:
    """What the words behind `git` do; None when they stay in the local repository."""
    rest, doubt = _behind_own_options(list(words))
    if doubt:
        return Operation(what="git", kind="write", doubt=doubt)
    if not rest:
        return None
    name, arguments = rest[0], rest[1:]
    if name == "push":
        return _push(arguments)
    if name in known.GIT_READS:
        return _read(name, arguments)
    if name == "submodule" and "foreach" not in arguments:
        return Operation(what="git submodule", kind="read", is_sure=False)
    if name == "remote" and known.GIT_REMOTE_READS.intersection(arguments):
        return Operation(what="git remote", kind="read", is_sure=False)
    if name in known.GIT_LOCAL:
        doubt = _local_doubt(name, arguments)
        return Operation(what=f"git {name}", kind="write", doubt=doubt) if doubt else None
    return Operation(what=f"git {name}", kind="write", doubt="this may be an alias or run other commands")


def is_expanded(word: str) -> bool:
    """Whether the shell may put other words in this one's place."""
    return _EXPANDED.search(word) is not None


def _behind_own_options(rest: list[str]) -> tuple[list[str], str]:
    """The subcommand and what follows, and what is doubtful in front of it."""
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in known.GIT_REPORTS:
            return [], ""
        name, has_value, value = word.partition("=")
        if name in known.GIT_VALUE_OPTIONS:
            value = value if has_value else (rest.pop(0) if rest else "")
            if is_expanded(value):
                return [], f"{value} is only known when it runs"
            if name == "--config-env" or (name == "-c" and not _is_safe_setting(value)):
                return [], f"the setting {value} can change what git does"
        elif word not in known.GIT_PLAIN_OPTIONS:
            return [], f"the option {word} is not known"
    return rest, ""


def _is_safe_setting(setting: str) -> bool:
    return setting.lower().startswith(known.GIT_SAFE_CONFIG)


def _local_doubt(name: str, arguments: Sequence[str]) -> str:
    if name == "config" and not _is_harmless_config(arguments):
        return "this setting can change what git does"
    for mark in known.GIT_RUNNING_WORDS.get(name, ()):
        letter = rf"-[A-Za-z]*{mark[1]}" if re.fullmatch(r"-[A-Za-z]", mark) else re.escape(mark)
        if any(re.match(letter, word) or is_expanded(word) for word in arguments):
            return "this runs another command"
    return ""


def _is_harmless_config(arguments: Sequence[str]) -> bool:
    rest = [word for word in arguments if word not in known.GIT_CONFIG_PLACES]
    if not rest or rest[0] in known.GIT_CONFIG_READS:
        return True
    keys = rest[1:] if rest[0] in known.GIT_CONFIG_CHANGES else rest
    return bool(keys) and _is_safe_setting(keys[0])


def _read(name: str, arguments: Sequence[str]) -> Operation:
    options = read_options(arguments, valued=known.READ_VALUES, plain=known.READ_FLAGS, can_shorten=True)
    remote = options.operands[0] if options.operands else ""
    repo = remote_of(remote)
    doubt = _doubt(options, arguments)
    if options.has(known.READ_RUNS) or _HELPER.match(remote):
        doubt = "this can run another command"
    return Operation(
        what=f"git {name}",
        kind="read",
        repos=frozenset({repo} if repo else ()),
        is_sure=repo is not None and not options.has(known.READ_FAR),
        doubt=doubt,
    )


def _push(arguments: Sequence[str]) -> Operation:
    options = read_options(arguments, valued=known.PUSH_VALUES, plain=known.PUSH_FLAGS, can_shorten=True)
    remotes = options.operands[:1] or options.values({"--repo"})[-1:]
    remote = remotes[0] if remotes else ""
    repo = remote_of(remote)
    doubt = _doubt(options, arguments)
    if options.has(known.PUSH_RUNS) or _HELPER.match(remote):
        doubt = "this can run another command"
    elif set(options.values(known.PUSH_FAR)) - {"no", "check"}:
        doubt = "submodules may be pushed, too"
    specs = [word for word in options.operands[1:] if word != "tag"]
    targets = [_target(spec) for spec in specs]
    branches = [branch_of(target) for target in targets if _is_branch(target)]
    tags = [target for target in targets if is_tag_ref(target) or target.startswith("refs/*")]
    return Operation(
        what="git push",
        kind="write",
        repos=frozenset({repo} if repo else ()),
        is_sure=repo is not None,
        branches=tuple(branches),
        is_on_branch=not tags or len(tags) < len(targets),
        is_branch_sure=len(branches) + len(tags) == len(targets) and not options.has(known.PUSH_MANY),
        is_forced=options.has(known.PUSH_FORCES) or any(spec.startswith("+") for spec in specs),
        is_destructive=options.has(known.PUSH_DELETES) or any(_is_deletion(spec) for spec in specs),
        is_tag=bool(tags) or options.has(known.PUSH_TAGS) or len(specs) < len(options.operands[1:]),
        may_be_tag=any(_VERSION.fullmatch(target) for target in targets),
        doubt=doubt,
    )


def _target(spec: str) -> str:
    """The right side of a refspec: what is written at the other end."""
    source, colon, target = spec.removeprefix("+").partition(":")
    return target if colon else source


def _is_deletion(spec: str) -> bool:
    """`:branch` deletes; a lone colon pushes what both ends have."""
    plain = spec.removeprefix("+")
    return plain.startswith(":") and plain != ":"


def _is_branch(target: str) -> bool:
    """Whether a target is the plain name of a branch. HEAD and patterns stand for others."""
    if not target or target.upper() in {"HEAD", "@"} or _PATTERN.search(target):
        return False
    if is_expanded(target) or is_tag_ref(target):
        return False
    return target.startswith("refs/heads/") or not target.startswith("refs/")


def _doubt(options: Options, arguments: Sequence[str]) -> str:
    if options.unknown:
        return f"the option {options.unknown[0]} is not known"
    if any(is_expanded(word) for word in arguments):
        return "a word of it is only known when it runs"
    return ""

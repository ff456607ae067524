"""What a gh command wants to do on GitHub."""

import re
from collections.abc import Sequence

from omnigent.policies.builtins.github import gh_names as known
from omnigent.policies.builtins.github.access import Operation
from omnigent.policies.builtins.github.gh_api import api_operation
from omnigent.policies.builtins.github.git import is_expanded
from omnigent.policies.builtins.github.repositories import is_url, repository_of

_LETTERS = re.compile(r"-[A-Za-z]+")


def gh_operation(words: Sequence[str]) -> Operation | None:
    """What the words behind `gh` do; None when they are no matter of repositories."""
    if not words:
        return None
    if words[0] in ("-R", "--repo") and len(words) > 2:
        words = [*words[2:], *words[:2]]
    group = known.GH_GROUP_NAMES.get(words[0], words[0])
    if group == "api":
        return api_operation(words[1:])
    if group in known.GH_IGNORED:
        is_running = tuple(words[:2]) in known.GH_RUNNING
        return _doubtful(f"gh {group}", "this runs other code") if is_running else None
    if group not in known.GH_READS:
        return _doubtful(f"gh {group}", "this may be an alias or an extension")
    return _grouped(group, words[1:]) if len(words) > 1 else None


def _doubtful(what: str, doubt: str) -> Operation:
    return Operation(what=what, kind="write", doubt=doubt)


def _grouped(group: str, words: Sequence[str]) -> Operation | None:
    if words[0] in ("-R", "--repo") and len(words) > 2:
        words = [*words[2:], *words[:2]]
    action, arguments = words[0], words[1:]
    what = f"gh {group} {action}"
    is_write = action in known.GH_WRITES.get(group, frozenset())
    if not is_write and action not in known.GH_READS[group]:
        return _doubtful(what, "it is not known what this does")
    repos, is_sure = _repositories(group, action, arguments)
    if not is_write:
        is_computed = any(map(is_expanded, arguments))
        hides_options = "--" in arguments or (action == "clone" and is_computed)
        doubt = "it may hand options to git" if hides_options else ""
        return Operation(
            what=what, kind="read", repos=repos, is_sure=is_sure and not is_computed, doubt=doubt
        )
    branches, is_branch_sure = _values(arguments, known.GH_BRANCH_OPTIONS.get(group, ()))
    return Operation(
        what=what,
        kind="write",
        repos=repos,
        is_sure=is_sure,
        branches=tuple(branches),
        is_on_branch=(group, action) in known.GH_ON_BRANCH or bool(branches),
        is_branch_sure=is_branch_sure,
        is_forced=(group, action) == ("repo", "sync") and "--force" in arguments,
        is_destructive="delete" in action or action == "remove" or _deletes_beside(group, action, arguments),
        doubt="a word of it is only known when it runs" if any(map(is_expanded, words)) else "",
    )


def _deletes_beside(group: str, action: str, arguments: Sequence[str]) -> bool:
    names = known.GH_DELETING_OPTIONS.get((group, action), ())
    letters = [word for word in arguments if _LETTERS.fullmatch(word)]
    is_short = any(name[1:] in word for name in names if _LETTERS.fullmatch(name) for word in letters)
    return is_short or any(word.partition("=")[0] in names for word in arguments)


def _repositories(group: str, action: str, arguments: Sequence[str]) -> tuple[frozenset[str], bool]:
    """What repositories are named, and whether that is certainly all."""
    values, is_sure = _values(arguments, known.GH_REPOSITORY_OPTIONS)
    named = [repository_of(_without_host(value)) for value in values]
    named += [repository_of(word) for word in arguments if is_url(word)]
    operands = [word for word in arguments if word not in known.GH_PLAIN_OPTIONS]
    if group == "repo" and operands and not operands[0].startswith("-") and action != "rename":
        named.append(repository_of(_without_host(operands[0])))
    elsewhere = known.GH_ELSEWHERE_OPTIONS.get(group, ())
    is_elsewhere = (group, action) in known.GH_ELSEWHERE or bool(_values(arguments, elsewhere)[0])
    found = frozenset(repo for repo in named if repo is not None)
    return found, is_sure and None not in named and not is_elsewhere


def _without_host(name: str) -> str:
    """`github.com/owner/repo` without the host; another host stays, and then names nothing."""
    return name.lower().removeprefix("github.com/") if not is_url(name) else name


def _values(arguments: Sequence[str], names: Sequence[str]) -> tuple[list[str], bool]:
    """The values of some options, and whether they certainly are: they could be the value of another one."""
    values, is_sure = [], True
    for place, word in enumerate(arguments):
        name, has_value, value = word.partition("=")
        if name in names and has_value:
            values.append(value)
        elif word in names:
            values.append(arguments[place + 1] if place + 1 < len(arguments) else "")
        elif len(word) > 2 and word[:2] in names and not word.startswith("--"):
            values.append(word[2:])
        else:
            continue
        before = arguments[place - 1] if place else ""
        is_sure = is_sure and (not _may_take_value(before))
    return values, is_sure


def _may_take_value(word: str) -> bool:
    return word.startswith("-") and "=" not in word and word not in known.GH_PLAIN_OPTIONS

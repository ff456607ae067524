"""What `gh api` wants to do on GitHub."""

import re
from collections.abc import Sequence

from omnigent.policies.builtins.github import gh_names as known
from omnigent.policies.builtins.github.access import Operation, branch_of, is_tag_ref
from omnigent.policies.builtins.github.git import is_expanded
from omnigent.policies.builtins.github.options import Options, read_options
from omnigent.policies.builtins.github.repositories import api_repository_of

_REF = re.compile(r"/git/refs/((?:heads|tags)/[^?#]+)")
_BRANCH = re.compile(r"/branches/([^/?#]+)")
_BRANCH_FIELDS = frozenset({"branch", "ref", "base"})


def api_operation(words: Sequence[str]) -> Operation:
    """A call of the API: writing when its method does, or when it sends fields without naming a method."""
    options = read_options(words, valued=known.GH_API_VALUES, plain=known.GH_API_FLAGS)
    endpoint = options.operands[0] if options.operands else ""
    methods = {value.upper() for value in options.values(("-X", "--method"))}
    sends = options.has(known.GH_API_FIELDS) or options.has(("--input",))
    is_write = bool(methods - {"GET", "HEAD"}) or (not methods and sends)
    repo = api_repository_of(endpoint)
    fields = [_field(value) for value in options.values(known.GH_API_FIELDS)]
    refs = [
        *_REF.findall(endpoint),
        *_BRANCH.findall(endpoint),
        *(value for name, value in fields if name in _BRANCH_FIELDS),
    ]
    return Operation(
        what="gh api",
        kind="write" if is_write else "read",
        repos=frozenset({repo} if repo else ()),
        is_sure=repo is not None,
        branches=tuple(branch_of(ref) for ref in refs if not is_tag_ref(ref)),
        is_on_branch=any(mark in endpoint for mark in known.GH_API_ON_BRANCH),
        # A body from elsewhere may name another branch; `@file` is a value from elsewhere.
        is_branch_sure=not options.has(("--input",)) and not any(ref.startswith("@") for ref in refs),
        is_forced=is_write and any(name == "force" and value != "false" for name, value in fields),
        is_destructive="DELETE" in methods,
        is_tag=is_write and any(is_tag_ref(ref) for ref in refs),
        doubt=_doubt(options, words),
    )


def _field(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _doubt(options: Options, words: Sequence[str]) -> str:
    if options.unknown:
        return f"the option {options.unknown[0]} is not known"
    if len(options.operands) != 1:
        return "it is not clear which part of the API is called"
    if any(is_expanded(word) for word in words):
        return "a word of it is only known when it runs"
    if set(options.values(("--hostname",))) - {"github.com"}:
        return "another host is called"
    if any("method-override" in value.lower() for value in options.values(("-H", "--header"))):
        return "a header says which method is meant"
    return ""

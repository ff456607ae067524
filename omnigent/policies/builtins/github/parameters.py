"""The parameters of the GitHub policy: their schema, and how they are read."""

from collections.abc import Iterable
from typing import Any

from omnigent.policies.builtins.github.repositories import repository_of
from omnigent.policies.builtins.parameters import filled_texts
from omnigent.policies.calls import SHELL_TOOLS

DEFAULT_PREFIXES = ("mcp__github__", "github__")
DEFAULT_SHELL_TOOLS = tuple(sorted(SHELL_TOOLS))


def _switch(description: str, *, default: bool) -> dict[str, Any]:
    return {"type": "boolean", "default": default, "description": description}


def _list(description: str, default: Iterable[str] = (), **rest: Any) -> dict[str, Any]:
    items = {"type": "string", "minLength": 1}
    return {"type": "array", "items": items, "default": list(default), "description": description, **rest}


PARAMS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "read_all": _switch("Whether every repository may be read.", default=True),
        "read_repos": _list(
            "Repositories that may be read when read_all is false, as owner/repo or as a github.com address."
        ),
        "write_repos": _list(
            "Repositories that may be written, as owner/repo or as a github.com address. Empty: none."
        ),
        "write_branches": _list(
            "Branches that may be written: exact names, or patterns such as misc/*. Empty: every branch."
        ),
        "allow_destructive": _switch(
            "Whether files, branches, releases and the like may be deleted.", default=False
        ),
        "deny_tag_push": _switch("Whether pushing tags is denied.", default=True),
        "deny_force_push": _switch("Whether force pushes are denied.", default=True),
        "mcp_tool_prefixes": _list(
            "What the names of GitHub's tools begin with. An unknown tool with such a name is denied.",
            DEFAULT_PREFIXES,
        ),
        "shell_tools": _list(
            "Tools whose command argument is read for git and gh commands.", DEFAULT_SHELL_TOOLS
        ),
        "deny_reason": {
            "type": "string",
            "default": "",
            "description": "What to say when something is denied. Empty: say what exactly is not allowed.",
        },
    },
}


def repositories(name: str, values: object) -> frozenset[str]:
    """Repositories as `owner/repo` in lower case; ValueError naming the one that is none."""
    named = {text: repository_of(text) for text in filled_texts(name, values)}
    for text, repo in named.items():
        if repo is None:
            raise ValueError(f"{name}: {text!r} is neither owner/repo nor an address on github.com")
    return frozenset(repo for repo in named.values() if repo is not None)

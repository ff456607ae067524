"""An operator's own policy: an agent pushes only to branches below misc/.

To use it, put this folder on PYTHONPATH and name the module in the server's config file:

    policy_modules: [github_mcp_policy]

A session, an agent or an administrator can then attach `github_mcp_policy.block_non_misc_push`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omnigent.policies.builtins.github import Operation, command_operations, tool_operation
from omnigent.policies.calls import Answer, ask, call_of, command_of, deny

ALLOWED = "misc/"
PREFIXES = ("mcp__github__", "github__")
# The tools of GitHub's MCP server that put commits or branches into a repository.
PUSHING_TOOLS = (
    *("push_files", "create_or_update_file", "delete_file", "write_api_call"),
    *("create_branch", "delete_branch", "update_branch", "create_ref", "update_ref", "delete_ref"),
)


def block_non_misc_push(event: Mapping[str, Any]) -> Answer | None:
    """Deny pushes to other branches; ask about what cannot be read; have no opinion on anything else."""
    questions = []
    for operation in _pushes(event):
        foreign = [branch for branch in operation.branches if not branch.startswith(ALLOWED)]
        if foreign or operation.is_tag:
            target = ", ".join(foreign) or "a tag"
            return deny(f"{operation.what} to {target}: only branches below {ALLOWED} may be pushed")
        if operation.doubt:
            questions.append(f"{operation.what}: {operation.doubt}")
        elif not operation.branches or not operation.is_branch_sure:
            questions.append(f"{operation.what}: it is not clear which branch is written")
    return ask("; ".join(questions)) if questions else None


def _pushes(event: Mapping[str, Any]) -> Iterator[Operation]:
    """What the action pushes, and what cannot be read and so might."""
    call = call_of(event)
    if call is None:
        return
    command = command_of(call)
    if command is not None:
        known = command_operations(command)
        yield from (item for item in known if item.doubt or _is_push(item))
    elif call.name.endswith(PUSHING_TOOLS) and (operation := tool_operation(call, PREFIXES)):
        yield operation


def _is_push(operation: Operation) -> bool:
    is_api_push = operation.what == "gh api" and operation.kind == "write" and operation.is_on_branch
    return operation.what == "git push" or is_api_push


POLICY_REGISTRY = [
    {
        "handler": "github_mcp_policy.block_non_misc_push",
        "kind": "callable",
        "name": "Push to misc branches only",
        "description": "Deny git pushes and GitHub tool pushes to branches outside misc/*.",
    }
]

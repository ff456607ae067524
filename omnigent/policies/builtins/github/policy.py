"""The policy over GitHub's tools and over git and gh on the command line."""

from collections.abc import Iterable, Mapping, Sequence

from omnigent.policies.builtins.github.access import Access, judge_command, judge_tool
from omnigent.policies.builtins.github.commands import command_operations
from omnigent.policies.builtins.github.parameters import (
    DEFAULT_PREFIXES,
    DEFAULT_SHELL_TOOLS,
    repositories,
)
from omnigent.policies.builtins.github.tools import tool_operation
from omnigent.policies.builtins.parameters import filled_texts, sentence, switch
from omnigent.policies.calls import Answer, Event, Handler, ask, call_of, command_of


def github_policy(  # noqa: PLR0913 - the parameters are those of the schema
    *,
    read_all: bool = True,
    read_repos: Sequence[str] = (),
    write_repos: Sequence[str] = (),
    write_branches: Sequence[str] = (),
    allow_destructive: bool = False,
    deny_tag_push: bool = True,
    deny_force_push: bool = True,
    mcp_tool_prefixes: Sequence[str] = DEFAULT_PREFIXES,
    shell_tools: Sequence[str] = DEFAULT_SHELL_TOOLS,
    deny_reason: str = "",
) -> Handler:
    """Hold an agent to some repositories and branches of GitHub; ValueError in words for bad parameters.

    Calls of GitHub's tools are allowed or denied. Command lines are asked about when they cannot be read.
    """
    access = Access(
        read_all=switch("read_all", read_all),
        read_repos=repositories("read_repos", read_repos),
        write_repos=repositories("write_repos", write_repos),
        write_branches=filled_texts("write_branches", write_branches),
        allow_destructive=switch("allow_destructive", allow_destructive),
        deny_tag_push=switch("deny_tag_push", deny_tag_push),
        deny_force_push=switch("deny_force_push", deny_force_push),
        deny_reason=sentence("deny_reason", deny_reason),
    )
    prefixes = filled_texts("mcp_tool_prefixes", mcp_tool_prefixes)
    shells = frozenset(filled_texts("shell_tools", shell_tools))

    def evaluate(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None:
            return None
        if (command := command_of(call, shells)) is None:
            operation = tool_operation(call, prefixes)
            return None if operation is None else judge_tool(access, operation)
        if not _has_readable_arguments(event):
            return ask(f"{call.name}: its arguments cannot be read")
        return worst(judge_command(access, operation) for operation in command_operations(command))

    return evaluate


def worst(answers: Iterable[Answer | None]) -> Answer | None:
    """The first denial, else the first question, else no opinion."""
    stopped = [answer for answer in answers if answer is not None]
    return next((answer for answer in stopped if answer["result"] == "DENY"), next(iter(stopped), None))


def _has_readable_arguments(event: Event) -> bool:
    """Whether the arguments are an object: a text in their place could hide a command."""
    data = event.get("data")
    return isinstance(data, Mapping) and isinstance(data.get("arguments") or {}, Mapping)

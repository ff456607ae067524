"""`sys_os_shell`: a command in the workspace, with a deadline, a bounded output and no survivors."""

from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.cleantext import clean
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.room import Confinement
from omnigent.runner.tools.base import ToolContext, ToolError, number_argument, text_argument
from omnigent.runner.tools.command import MAX_TIMEOUT, SHELL, run_command

DEFAULT_TIMEOUT: Final = 120.0


class Shell:
    """Runs one command line per call, each in a process group of its own.

    What a command leaves in the background goes on until the runner ends, without its output; in a sandbox
    it ends with the command.
    """

    mutates = True
    schema = ToolSchema(
        name="sys_os_shell",
        description="Run a shell command in the workspace and return its output.",
        parameters={
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The command line."},
                "timeout": {
                    "type": "number",
                    "description": f"Seconds after which it is killed, {DEFAULT_TIMEOUT:g} by default.",
                },
            },
            "required": ["command"],
        },
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        command = text_argument(arguments, "command")
        timeout = min(number_argument(arguments, "timeout", DEFAULT_TIMEOUT), MAX_TIMEOUT)
        if "\x00" in command:
            raise ToolError("command: must not contain NUL")
        try:
            entry = await context.rooms.of(Confinement).entry((SHELL, "-c", command), context)
        except SandboxError as exc:
            raise ToolError(str(exc)) from exc
        ran = await run_command(entry, context.reaper, seconds=timeout)
        return clean(_report(ran.output, ran.exit_code, timeout if ran.timed_out else None))


def _report(output: str, returncode: int | None, timed_out_after: float | None) -> str:
    if timed_out_after is not None:
        note = f"[timed out after {timed_out_after:g} s; the process group was killed]"
    elif returncode is not None and returncode < 0:
        note = f"[killed by signal {-returncode}]"
    elif returncode:
        note = f"[exit code {returncode}]"
    else:
        return output
    separator = "" if not output or output.endswith("\n") else "\n"
    return f"{output}{separator}{note}\n"

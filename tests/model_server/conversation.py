"""The default script: echoes, and calls a tool when the user asks for it."""

import json
import re
from collections.abc import Sequence

from tests.model_server.prompt import Prompt
from tests.model_server.steps import Call, Fail, Reasoning, Reply, Text, Tokens

_REQUEST = re.compile(r"^(?P<verb>run|think|slow|fail): *(?P<rest>.*)$", re.MULTILINE | re.IGNORECASE)


def converse(prompt: Prompt) -> Reply:
    """`run: CMD` calls the shell, `think: TEXT` thinks first, `slow: N` counts, `fail: STATUS` fails."""
    tokens = Tokens(input_tokens=max(1, prompt.size), output_tokens=7)
    if prompt.wants_form:
        return [Text('{"title": "A conversation"}'), tokens]
    if prompt.tool_outputs:
        return [Text("The command printed:\n" + "\n".join(prompt.tool_outputs)), tokens]
    match = _REQUEST.search(prompt.user_text)
    if match is None:
        return [Text(f"You said: {prompt.user_text}"), tokens]
    rest = match["rest"].strip()
    match match["verb"].lower():
        case "run":
            return [Text("Running it. "), _shell(prompt.tools, rest), tokens]
        case "think":
            return [Reasoning(rest), Text("I have thought about it."), tokens]
        case "slow":
            numbers = range(1, int(rest or "10") + 1) if rest.isdecimal() or not rest else range(1, 11)
            return [Text(" ".join(str(number) for number in numbers), delay=0.1), tokens]
        case _:
            status = int(rest) if rest.isdecimal() else 400
            return [Fail(status, message="asked to fail")]


def _shell(tools: Sequence[str], command: str) -> Call:
    """The call of whatever runs a command here; `exec` runs a program that calls another tool for it."""
    shell = next((tool for tool in tools if "shell" in tool or tool == "Bash"), "")
    if not shell and "exec" in tools:
        code = f"const r = await tools.exec_command({json.dumps({'cmd': command})}); text(r.output);"
        return Call("exec", code, is_custom=True)
    return Call(shell or "sys_os_shell", {"command": command})

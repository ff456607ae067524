"""The default script: echoes, and calls a tool when the user asks for it."""

import re

from tests.model_server.prompt import Prompt
from tests.model_server.steps import Call, Fail, Reasoning, Reply, Text, Tokens

_REQUEST = re.compile(r"^(?P<verb>run|think|slow|fail): *(?P<rest>.*)$", re.MULTILINE | re.IGNORECASE)


def converse(prompt: Prompt) -> Reply:
    """`run: CMD` calls the shell, `think: TEXT` thinks first, `slow: N` counts, `fail: STATUS` fails."""
    tokens = Tokens(input_tokens=max(1, prompt.size), output_tokens=7)
    if prompt.tool_outputs:
        return [Text("The command printed:\n" + "\n".join(prompt.tool_outputs)), tokens]
    match = _REQUEST.search(prompt.user_text)
    if match is None:
        return [Text(f"You said: {prompt.user_text}"), tokens]
    rest = match["rest"].strip()
    match match["verb"].lower():
        case "run":
            shell = next((tool for tool in prompt.tools if "shell" in tool or tool == "Bash"), "sys_os_shell")
            return [Text("Running it. "), Call(shell, {"command": rest}), tokens]
        case "think":
            return [Reasoning(rest), Text("I have thought about it."), tokens]
        case "slow":
            numbers = range(1, int(rest or "10") + 1) if rest.isdecimal() or not rest else range(1, 11)
            return [Text(" ".join(str(number) for number in numbers), delay=0.1), tokens]
        case _:
            status = int(rest) if rest.isdecimal() else 400
            return [Fail(status, message="asked to fail")]

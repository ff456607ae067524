"""An MCP server with tools that work, fail, hang, flood, ask and crash. `stdio`, or `http PORT`.

With `ONCE` in its environment, a file, it only starts properly from its second start on.
"""

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, Image, MCPServer
from pydantic import BaseModel

server = MCPServer("tools", log_level="CRITICAL")
starts = Path(os.environ.get("STARTS", "/dev/null"))


class Colour(BaseModel):
    """What is asked for."""

    colour: str


@server.tool()
def echo(text: str) -> str:
    """Say the same."""
    return text


@server.tool()
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


@server.tool()
def variable(name: str) -> str:
    """A variable of the server's environment."""
    return os.environ.get(name, "not set")


@server.tool()
def where() -> str:
    """The directory and the process."""
    return f"{os.getcwd()} {os.getpid()}"


@server.tool()
def fail() -> str:
    """Go wrong."""
    raise ValueError(f"nothing works, least of all {os.environ.get('SECRET', 'this')}")


@server.tool()
async def hang(file: str) -> str:
    """Never answer, and tell in a file when the call is cancelled."""
    try:
        Path(file).write_text("started")
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        Path(file).write_text("cancelled")
        raise
    return ""


@server.tool()
async def slow(seconds: float, context: Context) -> str:
    """Report progress again and again, then answer."""
    for step in range(10):
        await context.report_progress(step, 10)
        await asyncio.sleep(seconds / 10)
    return "at last"


@server.tool()
def crash() -> str:
    """End the process."""
    sys.stderr.write(f"the password is {os.environ.get('SECRET')}\n")
    sys.stderr.flush()
    os._exit(3)


@server.tool()
def flood(size: int) -> str:
    """Very much text."""
    return "x" * size


@server.tool()
def picture() -> Image:
    """An image."""
    return Image(data=b"\x89PNG" + bytes(100), format="png")


@server.tool()
def binary() -> str:
    """Characters that cannot be stored."""
    return "a\x00b"


@server.tool()
async def ask(context: Context) -> str:
    """Ask for a colour."""
    answer = await context.elicit("Which colour?", Colour)
    return f"{answer.action} {answer.data.colour if answer.action == 'accept' else ''}".strip()


@server.tool()
def spawn(file: str, leaves: bool = False) -> str:
    """Leave a process behind and write its number down."""
    child = os.fork()
    if child == 0:
        if leaves:
            os.setsid()
        os.execvp("sleep", ["sleep", "600"])
    Path(file).write_text(str(child))
    return str(child)


if __name__ == "__main__":
    with starts.open("a") as file:
        file.write("start\n")
    sys.stdout.write("this line is no message\n")
    sys.stdout.flush()
    if sys.argv[1] == "http":
        server.run("streamable-http", port=int(sys.argv[2]), host="127.0.0.1")
    else:
        server.run("stdio")

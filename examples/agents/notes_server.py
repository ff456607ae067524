"""The MCP server of the example mcp-user: `python -m examples.agents.notes_server FILE`.

The runner starts it in the session's workspace and speaks to it over its standard input and output.
"""

import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

server = MCPServer("notes", log_level="ERROR")
notes = Path(sys.argv[1] if len(sys.argv) > 1 else "notes.txt")


@server.tool()
def add(text: str) -> str:
    """Write a note down, as one line."""
    line = " ".join(text.split())
    with notes.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    return f"noted: {line}"


@server.tool()
def search(text: str) -> str:
    """The notes that hold this text, whatever its letter case; one a line."""
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    found = [line for line in lines if text.casefold() in line.casefold()]
    return "\n".join(found) or "no note holds that"


@server.tool()
def forget() -> str:
    """Throw every note away. The example's allow-list leaves this tool out."""
    notes.unlink(missing_ok=True)
    return "all notes are gone"


if __name__ == "__main__":
    server.run()

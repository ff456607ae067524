"""The names that the tools of MCP servers have for a model: `server__tool`, in characters models accept."""

import re
from hashlib import sha256
from typing import Final

LONGEST: Final = 64
_SEPARATOR: Final = "__"
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST: Final = 8
_KEPT: Final = LONGEST - _DIGEST - 1


def tool_name(server: str, tool: str) -> str:
    """The name, whose middle a digest stands for when it is too long."""
    name = _OTHER.sub("_", f"{server}{_SEPARATOR}{tool}")
    if len(name) <= LONGEST:
        return name
    digest = sha256(f"{server}{_SEPARATOR}{tool}".encode()).hexdigest()[:_DIGEST]
    return f"{name[:_KEPT]}_{digest}"


def belongs(name: str, server: str) -> bool:
    """Whether a tool of this name can be one of the server's."""
    return name.startswith(_OTHER.sub("_", f"{server}{_SEPARATOR}")[:_KEPT])

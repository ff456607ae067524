"""The MCP servers of one runner process: sessions that need the same one share it."""

import asyncio
from hashlib import sha256
from importlib import import_module
from typing import Final, cast

import orjson

from omnigent.runner.mcp.base import Definition, Opener
from omnigent.runner.mcp.supervisor import Supervisor
from omnigent.runner.tools.reaper import Reaper

# The package takes a second to import, and a runner has to be connected in a fraction of one.
_OPENER: Final = ("omnigent.runner.mcp.connection", "opened")


class McpPool:
    """Servers by their content, each as long as somebody holds it."""

    def __init__(self) -> None:
        self._servers: dict[str, Supervisor] = {}
        self._holders: dict[str, int] = {}

    def hold(self, definition: Definition, reaper: Reaper) -> tuple[str, Supervisor]:
        """A server and the key to give it back with; nothing is started yet."""
        key = _key(definition)
        if key not in self._servers:
            self._servers[key] = Supervisor(definition, reaper, _load)
            self._holders[key] = 0
        self._holders[key] += 1
        return key, self._servers[key]

    async def release(self, key: str) -> None:
        """Give a server back; the last one ends it."""
        self._holders[key] -= 1
        if self._holders[key] == 0:
            del self._holders[key]
            await self._servers.pop(key).close()


def _key(definition: Definition) -> str:
    content = (
        definition.name,
        definition.transport,
        definition.command,
        definition.args,
        sorted(definition.environment.items()),
        definition.url,
        sorted(definition.headers.items()),
        str(definition.workspace),
    )
    return sha256(orjson.dumps(content)).hexdigest()


async def _load() -> Opener:
    module, name = _OPENER
    return cast("Opener", getattr(await asyncio.to_thread(import_module, module), name))

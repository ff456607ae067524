"""The tunnels that this process holds, by kind and name; the newest of a name wins."""

import asyncio
from collections.abc import Iterator

from sessions_app.tunnels.tunnel import Tunnel

ARRIVAL_SECONDS = 1.0


class Tunnels:
    """Registry of live tunnels."""

    def __init__(self) -> None:
        self._tunnels: dict[tuple[str, str], Tunnel] = {}
        self._arrivals: list[asyncio.Future[None]] = []

    def add(self, tunnel: Tunnel) -> Tunnel | None:
        """Register a tunnel; returns the one it replaces, or itself when a newer one is there already."""
        key = (tunnel.kind, tunnel.name)
        older = self._tunnels.get(key)
        if older is not None and older.generation > tunnel.generation:
            return tunnel
        self._tunnels[key] = tunnel
        for arrival in self._arrivals:
            if not arrival.done():
                arrival.set_result(None)
        self._arrivals.clear()
        return older

    def remove(self, tunnel: Tunnel) -> bool:
        """Forget this very tunnel; false when a newer one has taken its place."""
        key = (tunnel.kind, tunnel.name)
        if self._tunnels.get(key) is not tunnel:
            return False
        del self._tunnels[key]
        return True

    def get(self, kind: str, name: str) -> Tunnel | None:
        """The live tunnel of that name, if this process holds it."""
        return self._tunnels.get((kind, name))

    async def arriving(self, kind: str, name: str) -> Tunnel | None:
        """The same for a tunnel whose lease is this process's: it may be registered only a moment later."""
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                while (tunnel := self.get(kind, name)) is None:
                    arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._arrivals.append(arrival)
                    await arrival
                return tunnel
        except TimeoutError:
            return None

    def names(self, kind: str) -> list[str]:
        """Names of the tunnels of one kind."""
        return [name for (one, name) in self._tunnels if one == kind]

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(list(self._tunnels.values()))

    def __len__(self) -> int:
        return len(self._tunnels)

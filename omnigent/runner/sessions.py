"""The live sessions of this process."""

import asyncio

from omnigent.runner import state
from omnigent.runner.runtime import Runtime
from omnigent.runner.session import LiveSession


class Sessions:
    """Sessions by id, made when something first names them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._sessions: dict[str, LiveSession] = {}
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, session_id: str) -> LiveSession | None:
        return self._sessions.get(session_id)

    def open(self, session_id: str) -> LiveSession:
        """The session, new when it is unknown."""
        if session_id not in self._sessions:
            self._sessions[session_id] = LiveSession(session_id, self._runtime)
        return self._sessions[session_id]

    async def delete(self, session_id: str) -> None:
        """Forget a session and end what it does; its folder, an earlier runner's too, is removed."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            await session.delete()
        await asyncio.to_thread(state.remove, self._runtime.config.state_dir, session_id)

    @property
    def is_busy(self) -> bool:
        """Whether any session runs a turn, or has something in the background."""
        return any(
            session.status == "running" or session.bench.rooms.has_work for session in self._sessions.values()
        )

    def acknowledge(self, session_id: str, event_id: str) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.uplink.acknowledge(event_id)

    async def drain(self, seconds: float) -> None:
        """Settle what runs, give the server time to take the last events, and end the streams."""
        self.is_draining = True
        sessions = list(self._sessions.values())
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(session.stop() for session in sessions))
                await asyncio.gather(*(session.uplink.delivered() for session in sessions))
        except TimeoutError:
            pass
        for session in sessions:
            session.uplink.close()

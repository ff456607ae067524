"""A server in this process that can be ended and started again behind the same address."""

from typing import Any

from django.apps import apps

from omnigent.accounts.gate import Gate
from omnigent.api.asgi import Application, Receive, Scope, Send
from omnigent.asgi import Router
from sessions_app.process import Process, build_process
from tests.inputs.waiting import eventually

ADDRESS = "http://127.0.0.1:9"


class Door:
    """The ASGI application of whatever process is running."""

    def __init__(self) -> None:
        self._app: Application | None = None
        self._process: Process | None = None
        self._sockets: list[str] = []

    @property
    def process(self) -> Process:
        """The process that serves now."""
        assert self._process is not None
        return self._process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        self._sockets.append(scope["path"])
        try:
            await self._app(scope, receive, send)
        finally:
            self._sockets.remove(scope["path"])

    async def start(self) -> None:
        """Build a process from the settings and serve with it."""
        process = build_process(ADDRESS)
        self._process, self._app = process, Gate(Router())
        _install(process)
        await process.start()

    async def stop(self) -> None:
        """End the process in order: its sockets close first."""
        if self._process is None:
            return
        await eventually(self._is_drained, f"the sockets are closed: {self._sockets}")
        await self._process.stop()
        self._process = None
        _install(None)

    async def _is_drained(self) -> bool:
        # Again and again: a tunnel that was being dialled is registered after the first time.
        await self.process.drain()
        return not self._sockets

    async def restart(self) -> None:
        """End the process and start another one."""
        await self.stop()
        await self.start()


def _install(process: Process | None) -> None:
    config: Any = apps.get_app_config("sessions_app")
    config.process = process

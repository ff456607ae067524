"""The ASGI application: health at once, consumers for streams and tunnels, the rest one hop away."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omnigent.settings")

import django

django.setup()

# Django must be set up before anything that imports models.
from omnigent.accounts.admission import admit_connection
from omnigent.accounts.gate import Gate
from omnigent.accounts.services.tokens import record_use
from omnigent.api.asgi import Application, Receive, Scope, Send, refuse
from omnigent.api.errors import not_found
from omnigent.api.handler import PooledHandler
from omnigent.api.views import health
from omnigent.errors import OmnigentError
from sessions_app.process import Process
from sessions_app.routing import consumer_for
from sessions_app.running import running_process


class Router:
    """Sends each connection to whoever answers it; Django's handler is built with the process's threads."""

    def __init__(self) -> None:
        self._django: PooledHandler | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"unknown connection type {scope['type']!r}")
        if scope["type"] == "http" and scope["path"] == "/health" and not scope["query_string"]:
            await health(scope, receive, send)
            return
        consumer = consumer_for(scope)
        if consumer is not None:
            await self.long(consumer, scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse(scope, receive, send, not_found())
        else:
            await self.ordinary(scope, receive, send)
            self.note_use(scope)

    async def long(self, consumer: Application, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in front of Django, once the caller is known."""
        if "principal" not in scope:
            try:
                scope["principal"] = await self.process.pool.run(admit_connection, scope)
            except OmnigentError as exc:
                await refuse(scope, receive, send, exc)
                return
            self.note_use(scope)
        await consumer(scope, receive, send)

    def note_use(self, scope: Scope) -> None:
        """Record beside, now and then, that the caller's token is in use."""
        principal = scope.get("principal")
        if principal is not None and principal.is_use_due:
            self.process.spawn(self.process.pool.run(record_use, principal.token_pk))

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    async def ordinary(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer through Django's middleware, views and templates."""
        pool = self.process.pool
        if self._django is None or self._django.pool is not pool:
            self._django = PooledHandler(pool)
        await self._django(scope, receive, send)


application = Gate(Router())

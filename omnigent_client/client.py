"""`OmnigentClient`: one server, seen by one user, for asyncio."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import httpx

from omnigent_client.resources.agents import Agents
from omnigent_client.resources.elicitations import Elicitations
from omnigent_client.resources.files import Files
from omnigent_client.resources.fleet import Hosts, Runners
from omnigent_client.resources.people import Comments, Permissions
from omnigent_client.resources.policies import Policies
from omnigent_client.resources.projects import Projects
from omnigent_client.resources.server import Server, UsageReports
from omnigent_client.resources.terminals import Terminals
from omnigent_client.streaming.rules import StreamRules
from omnigent_client.transport.http import Transport, open_http
from omnigent_client.transport.retrying import RetryRules
from omnigent_client.turns.sessions import Sessions

DEFAULT_URL: Final = "http://localhost:6767"
DEFAULT_TIMEOUT: Final = 30.0


class OmnigentClient:
    """`async with OmnigentClient(base_url=…) as client:`, or `await client.aclose()` at the end.

    `token` is a bearer token; `headers` go with every request, such as a trusted proxy's; `timeout` is for
    each step of a request, in seconds. May be used by many tasks of one event loop at once.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        token: str | None = None,
        *,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        headers: Mapping[str, str] | None = None,
        retry: RetryRules | None = None,
        streaming: StreamRules | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = open_http(
            base_url=base_url, token=token, timeout=timeout, headers=headers, transport=transport
        )
        self.base_url = str(http.base_url).rstrip("/")
        self._transport = Transport(http, retry or RetryRules())
        self.sessions = Sessions(self._transport, streaming or StreamRules())
        self.agents = Agents(self._transport)
        self.policies = Policies(self._transport)
        self.files = Files(self._transport)
        self.terminals = Terminals(self._transport)
        self.elicitations = Elicitations(self._transport)
        self.projects = Projects(self._transport)
        self.permissions = Permissions(self._transport)
        self.comments = Comments(self._transport)
        self.hosts = Hosts(self._transport)
        self.runners = Runners(self._transport)
        self.usage = UsageReports(self._transport)
        self.server = Server(self._transport)
        self.stream = self.sessions.stream
        self.send = self.sessions.send
        self.ask = self.sessions.ask
        self.export = self.sessions.export
        self.import_ = self.sessions.import_
        self.request = self.server.request

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; open streams end."""
        await self._transport.aclose()

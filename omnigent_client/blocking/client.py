"""`SyncClient`: `OmnigentClient` for code without an event loop."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from omnigent_client.blocking.portal import Portal
from omnigent_client.blocking.resources import (
    SyncAgents,
    SyncComments,
    SyncElicitations,
    SyncFiles,
    SyncHosts,
    SyncPermissions,
    SyncPolicies,
    SyncProjects,
    SyncRunners,
    SyncServer,
    SyncSessions,
    SyncTerminals,
    SyncUsageReports,
)
from omnigent_client.client import DEFAULT_TIMEOUT, DEFAULT_URL, OmnigentClient
from omnigent_client.streaming.rules import StreamRules
from omnigent_client.transport.retrying import RetryRules


class SyncClient:
    """`with SyncClient(base_url=…) as client:`, or `client.close()` at the end; from any number of threads.

    Every method of `OmnigentClient` under the same name. The work is done by one thread of this client's own,
    so a callback may call the client again.
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
        client = OmnigentClient(
            base_url,
            token,
            timeout=timeout,
            headers=headers,
            retry=retry,
            streaming=streaming,
            transport=transport,
        )
        self._client = client
        self._portal = portal = Portal()
        self.base_url = client.base_url
        self.sessions = SyncSessions(client.sessions, portal)
        self.agents = SyncAgents(client.agents, portal)
        self.policies = SyncPolicies(client.policies, portal)
        self.files = SyncFiles(client.files, portal)
        self.terminals = SyncTerminals(client.terminals, portal)
        self.elicitations = SyncElicitations(client.elicitations, portal)
        self.projects = SyncProjects(client.projects, portal)
        self.permissions = SyncPermissions(client.permissions, portal)
        self.comments = SyncComments(client.comments, portal)
        self.hosts = SyncHosts(client.hosts, portal)
        self.runners = SyncRunners(client.runners, portal)
        self.usage = SyncUsageReports(client.usage, portal)
        self.server = SyncServer(client.server, portal)
        self.stream = self.sessions.stream
        self.send = self.sessions.send
        self.ask = self.sessions.ask
        self.export = self.sessions.export
        self.import_ = self.sessions.import_
        self.request = self.server.request

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every call and stream that is still under way, and close every connection."""
        self._portal.close(self._client.aclose())


OmnigentSync = SyncClient

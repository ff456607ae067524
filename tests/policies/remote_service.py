"""A url policy and the HTTPS service that answers it, on loopback."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from omnigent.policies.remote import RemotePolicies, RemotePolicy, RemoteRules
from tests.outbound.authority import Authority
from tests.outbound.clients import HOST, outbound_client
from tests.outbound.https_server import HttpsServer, Reply, answer, https_server

EPOCH = 1_790_000_000.9


@dataclass
class Clock:
    """Stands still until somebody moves it."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(kw_only=True)
class RemoteService:
    """`policy` asks `server` at `url`; `clock` drives the breaker."""

    server: HttpsServer
    policies: RemotePolicies
    url: str
    clock: Clock = field(default_factory=Clock)

    @property
    def policy(self) -> RemotePolicy:
        return self.policies.policy(policy_id="pol_srv_1", name="outer gate", url=self.url)


def json_answer(text: str) -> Reply:
    """Status 200 with this text."""
    return answer("200 OK", text.encode(), "Content-Type: application/json")


@asynccontextmanager
async def remote_service(reply: Reply, rules: RemoteRules | None = None) -> AsyncIterator[RemoteService]:
    """A service that answers with `reply`."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(Path(directory))
        async with (
            https_server(authority.server_context(HOST), reply) as server,
            outbound_client(authority, server.port) as client,
        ):
            policies = RemotePolicies(client, rules or RemoteRules(), now=lambda: EPOCH, clock=clock)
            url = f"https://{HOST}:{server.port}/check"
            yield RemoteService(server=server, policies=policies, url=url, clock=clock)

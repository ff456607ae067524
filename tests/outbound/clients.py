"""Clients of the loopback HTTPS server, and resolvers that answer by script."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from omnigent.outbound import Guard, OutboundClient, OutboundRules, Resolver
from omnigent.outbound.client import tls_context
from tests.outbound.authority import Authority

HOST = "policy.example"


class ScriptedResolver:
    """Gives one row of addresses a look-up, the last row for ever; remembers what it was asked."""

    def __init__(self, *rows: Sequence[str]) -> None:
        self._rows = list(rows)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._rows.pop(0) if len(self._rows) > 1 else self._rows[0]


@asynccontextmanager
async def outbound_client(
    authority: Authority,
    port: int,
    *,
    allowed: Sequence[str] = (HOST,),
    resolver: Resolver | None = None,
) -> AsyncIterator[OutboundClient]:
    """A client that trusts the authority and may use the port; HOST resolves to loopback."""
    rules = OutboundRules.parse(allowed, ports=[port])
    guard = Guard(rules, resolver or ScriptedResolver(["127.0.0.1"]))
    client = OutboundClient(guard, tls=tls_context(authority.ca_file))
    try:
        yield client
    finally:
        await client.aclose()

"""Where an MCP server that somebody adds to an agent may lie, on a server that many people share."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from agents_app.bodies import McpServerBody
from omnigent.api.validation import ValidationFailed, problem
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.outbound import Resolver
from omnigent.outbound.addresses import Address, read_address
from policies_app.catalogue import catalogue
from sessions_app.services import access

SECONDS = 5.0
PORTS = {"http": 80, "https": 443}


async def check_servers(forms: Iterable[McpServerBody], resolver: Resolver) -> None:
    """Raise FORBIDDEN for a program, and for a name that leads into a network of this machine's.

    The only user of a server may run and reach whatever he can anyway. A runner that dials later has to ask
    again: a name may lead elsewhere by then.
    """
    if access.is_single_user():
        return
    for form in forms:
        if form.transport == "stdio":
            raise OmnigentError(
                ErrorCode.FORBIDDEN, "On a shared server an agent may not start programs as MCP servers"
            )
        if form.url is not None:
            await _check_url(form.url, resolver)


async def _check_url(url: str, resolver: Resolver) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    rules = catalogue().outbound
    for address in await _addresses(host, parts.port or PORTS[parts.scheme], resolver):
        if not rules.permit(address, host):
            raise OmnigentError(
                ErrorCode.FORBIDDEN, f"The MCP server's host '{host}' leads to an address that is not allowed"
            )


async def _addresses(host: str, port: int, resolver: Resolver) -> list[Address]:
    literal = read_address(host)
    if literal is not None:
        return [literal]
    try:
        async with asyncio.timeout(SECONDS):
            answers = await resolver(host, port)
    except (OSError, TimeoutError):
        answers = ()
    found = [read_address(answer) for answer in answers]
    readable = [address for address in found if address is not None]
    if not readable or len(readable) < len(found):
        raise ValidationFailed([problem("value_error", ("body", "url"), f"host '{host}' has no address")])
    return readable

"""Trusted proxies: whose word counts about who is calling, and from where."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings

from omnigent.accounts.evidence import Evidence
from omnigent.accounts.principal import RESERVED_NAMES

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_NAME = 150
FORWARDED_FOR = b"x-forwarded-for"
NEIGHBOURHOOD = 64
"""One subscriber has at least so many bits of IPv6 to himself: their addresses count as one."""


@lru_cache(maxsize=16)
def networks(words: tuple[str, ...]) -> tuple[Network, ...]:
    """Addresses and CIDR ranges. Raises ValueError."""
    return tuple(ipaddress.ip_network(word) for word in words)


def parse_address(text: str | None) -> Address | None:
    """An address without its zone; an IPv4 address in IPv6 clothes is IPv4. None for anything else."""
    try:
        parsed = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_trusted(address: Address | None) -> bool:
    """Whether the operator named this address as a proxy."""
    if address is None:
        return False
    return any(address in network for network in networks(tuple(settings.OMNIGENT_TRUSTED_PROXIES)))


def named_user(evidence: Evidence) -> str | None:
    """The user whom a trusted proxy names. A header from anybody else says nothing."""
    if not is_trusted(parse_address(evidence.peer)):
        return None
    values = evidence.values(settings.OMNIGENT_AUTH_HEADER.lower().encode("latin-1"))
    if len(values) != 1:
        return None
    try:
        name = values[0].decode().removeprefix(settings.OMNIGENT_AUTH_HEADER_STRIP_PREFIX)
    except UnicodeDecodeError:
        return None
    return name if is_name(name) else None


def is_name(text: str) -> bool:
    """Whether this can be a user id. A comma would be two headers that somebody has joined."""
    if not 0 < len(text) <= MAX_NAME or text in RESERVED_NAMES or text != text.strip():
        return False
    return text.isprintable() and "," not in text


def origin_address(evidence: Evidence) -> str:
    """Where the caller connects from: what trusted proxies forwarded, read from our side, or the peer itself.

    Only for counting: `unknown` stands for callers without an address.
    """
    hops = [parse_address(hop) for hop in _forwarded(evidence.values(FORWARDED_FOR))]
    current = parse_address(evidence.peer)
    while is_trusted(current) and hops:
        current = hops.pop()
    if current is None:
        return "unknown"
    if current.version == 6:
        return str(ipaddress.ip_network((current, NEIGHBOURHOOD), strict=False))
    return str(current)


def _forwarded(values: Iterable[bytes]) -> list[str]:
    return [part.strip() for value in values for part in value.decode("latin-1").split(",")]

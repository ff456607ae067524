"""Which hosts, ports and addresses may be reached: public ones, and what the operator listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Self

from omnigent.outbound.addresses import (
    Address,
    AddressKind,
    Network,
    kind_of,
    nat64_target,
    read_address,
    read_network,
)
from omnigent.outbound.errors import NotReached, Refused
from omnigent.outbound.resolving import Resolver
from omnigent.outbound.targets import DEFAULT_PORT, Target, is_host_name, read_target

# What a listed host name may resolve to. For the rest a network must be listed: whoever serves the name's
# addresses could point it at the machine's own credentials.
_INTERNAL = frozenset(
    {AddressKind.PRIVATE, AddressKind.LOOPBACK, AddressKind.SHARED, AddressKind.UNIQUE_LOCAL}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboundRules:
    """The operator's exceptions: `hosts` by exact name in lower case, `networks`, and the ports in use."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({DEFAULT_PORT})

    @classmethod
    def parse(cls, allowed: Sequence[str] = (), ports: Sequence[int] = (DEFAULT_PORT,)) -> Self:
        """Read host names, addresses and CIDR networks; ValueError names the entry that is none."""
        hosts, networks = set(), []
        for entry in allowed:
            network = read_network(entry)
            if network is not None:
                networks.append(network)
            elif is_host_name(entry.lower()):
                hosts.add(entry.lower())
            else:
                raise ValueError(f"{entry!r} is neither a host name, an address nor a network")
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("a network that contains every address cannot be allowed")
        if wrong := [port for port in ports if not 0 < port < 65536]:
            raise ValueError(f"no such port: {wrong[0]}")
        return cls(hosts=frozenset(hosts), networks=tuple(networks), ports=frozenset(ports))

    def permit(self, address: Address, host: str = "") -> bool:
        """Whether an address that `host` resolved to may be dialled."""
        kind = kind_of(address)
        if kind is AddressKind.GLOBAL:
            return True
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False
        listed = [network for network in self.networks if address in network]
        if kind is AddressKind.TRANSLATED:
            return False
        if kind is AddressKind.NAT64 and isinstance(address, IPv6Address):
            return bool(listed) and self.permit(nat64_target(address))
        if kind is AddressKind.METADATA:
            return any(network.num_addresses == 1 for network in listed)
        return bool(listed) or (kind in _INTERNAL and host in self.hosts)


class Guard:
    """Decides what may be dialled. Asks the resolver once a connection; its caller dials only the result."""

    def __init__(self, rules: OutboundRules, resolver: Resolver) -> None:
        self._rules = rules
        self._resolver = resolver

    def check_url(self, url: str) -> Target:
        """Read a URL and refuse, without a look-up, what can be known from its text."""
        target = read_target(url)
        if target.port not in self._rules.ports:
            raise Refused(f"port {target.port} is not allowed")
        if target.address is not None:
            self._check(target.address, target.host)
        return target

    async def addresses_of(self, host: str, port: int) -> list[Address]:
        """The addresses to dial, in the resolver's order; Refused unless every one of them is permitted."""
        literal = read_address(host)
        if literal is not None:
            self._check(literal, host)
            return [literal]
        try:
            answers = await self._resolver(host, port)
        except OSError as problem:
            raise NotReached(f"host {host!r} has no address") from problem
        if not answers:
            raise NotReached(f"host {host!r} has no address")
        addresses = [self._readable(answer, host) for answer in answers]
        for address in addresses:
            self._check(address, host)
        return addresses

    def _check(self, address: Address, host: str) -> None:
        if not self._rules.permit(address, host):
            raise Refused(f"host {host!r} leads to an address that is not allowed ({kind_of(address)})")

    @staticmethod
    def _readable(answer: str, host: str) -> Address:
        address = read_address(answer)
        if address is None:
            raise Refused(f"host {host!r} has an unreadable address")
        return address

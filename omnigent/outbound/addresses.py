"""What kind of network an IP address belongs to, by the IANA special-purpose registries (RFC 6890)."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AddressKind(StrEnum):
    """Where an address leads; the value is the name that people are told."""

    GLOBAL = "public"
    PRIVATE = "private network"
    LOOPBACK = "loopback"
    SHARED = "carrier network"
    UNIQUE_LOCAL = "unique local"
    LINK_LOCAL = "link-local"
    METADATA = "cloud metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    TRANSLATED = "translated IPv4"
    NAT64 = "NAT64"
    RESERVED = "reserved"


# The first network that contains an address decides, so single addresses stand before their ranges.
_V4: tuple[tuple[str, AddressKind], ...] = (
    ("169.254.169.254/32", AddressKind.METADATA),
    ("169.254.170.2/32", AddressKind.METADATA),  # credentials of AWS container tasks
    ("169.254.170.23/32", AddressKind.METADATA),  # credentials of AWS pods
    ("100.100.100.200/32", AddressKind.METADATA),  # Alibaba
    ("192.0.0.192/32", AddressKind.METADATA),  # Oracle
    ("168.63.129.16/32", AddressKind.METADATA),  # Azure: a public address that only its guests reach
    ("0.0.0.0/8", AddressKind.UNSPECIFIED),
    ("10.0.0.0/8", AddressKind.PRIVATE),
    ("100.64.0.0/10", AddressKind.SHARED),
    ("127.0.0.0/8", AddressKind.LOOPBACK),
    ("169.254.0.0/16", AddressKind.LINK_LOCAL),
    ("172.16.0.0/12", AddressKind.PRIVATE),
    ("192.0.0.0/24", AddressKind.RESERVED),
    ("192.0.2.0/24", AddressKind.DOCUMENTATION),
    ("192.88.99.0/24", AddressKind.TRANSLATED),  # relays of 6to4
    ("192.168.0.0/16", AddressKind.PRIVATE),
    ("198.18.0.0/15", AddressKind.BENCHMARKING),
    ("198.51.100.0/24", AddressKind.DOCUMENTATION),
    ("203.0.113.0/24", AddressKind.DOCUMENTATION),
    ("224.0.0.0/4", AddressKind.MULTICAST),
    ("240.0.0.0/4", AddressKind.RESERVED),
    ("0.0.0.0/0", AddressKind.GLOBAL),
)
_V6: tuple[tuple[str, AddressKind], ...] = (
    ("fd00:ec2::254/128", AddressKind.METADATA),
    ("fd00:ec2::23/128", AddressKind.METADATA),
    ("fd20:ce::254/128", AddressKind.METADATA),  # Google
    ("::/128", AddressKind.UNSPECIFIED),
    ("::1/128", AddressKind.LOOPBACK),
    ("::/96", AddressKind.TRANSLATED),  # IPv4-compatible
    ("::ffff:0:0/96", AddressKind.TRANSLATED),  # IPv4-mapped
    ("::ffff:0:0:0/96", AddressKind.TRANSLATED),  # IPv4-translated (RFC 2765)
    ("64:ff9b::/96", AddressKind.NAT64),
    ("64:ff9b:1::/48", AddressKind.TRANSLATED),  # local NAT64: where IPv4 sits in it is the site's choice
    ("2001::/32", AddressKind.TRANSLATED),  # Teredo
    ("2001:2::/48", AddressKind.BENCHMARKING),
    ("2001::/23", AddressKind.RESERVED),
    ("2001:db8::/32", AddressKind.DOCUMENTATION),
    ("2002::/16", AddressKind.TRANSLATED),  # 6to4
    ("3fff::/20", AddressKind.DOCUMENTATION),
    ("fc00::/7", AddressKind.UNIQUE_LOCAL),
    ("fe80::/10", AddressKind.LINK_LOCAL),
    ("fec0::/10", AddressKind.PRIVATE),  # site-local, deprecated but still routed in places
    ("ff00::/8", AddressKind.MULTICAST),
    ("2000::/3", AddressKind.GLOBAL),
    ("::/0", AddressKind.RESERVED),
)
_KINDS_V4 = tuple((IPv4Network(text), kind) for text, kind in _V4)
_KINDS_V6 = tuple((IPv6Network(text), kind) for text, kind in _V6)
# An ISATAP interface carries an IPv4 address in its last half, under any prefix.
_ISATAP_MARKS = frozenset({0x00005EFE, 0x02005EFE})


def kind_of(address: Address) -> AddressKind:
    """The kind of an address; an address with a zone id is link-local whatever it says."""
    if isinstance(address, IPv4Address):
        return next(kind for network, kind in _KINDS_V4 if address in network)
    if address.scope_id is not None:
        return AddressKind.LINK_LOCAL
    kind = next(kind for network, kind in _KINDS_V6 if address in network)
    if kind is AddressKind.GLOBAL and (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
        return AddressKind.TRANSLATED
    return kind


def nat64_target(address: IPv6Address) -> IPv4Address:
    """The IPv4 address that a NAT64 gateway dials for an address in 64:ff9b::/96 (RFC 6052)."""
    return IPv4Address(int(address) & 0xFFFFFFFF)


def read_address(text: str) -> Address | None:
    """An address in its ordinary spelling (four decimal numbers, or IPv6 without brackets), or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def read_network(text: str) -> Network | None:
    """A network or a single address, or None. Bits below the prefix are an error: they hide a slip."""
    try:
        return ip_network(text)
    except ValueError:
        return None

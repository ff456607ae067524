"""Which addresses and URLs may be reached."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.outbound import Guard, OutboundRules, Refused
from omnigent.outbound.addresses import AddressKind, kind_of

REFUSED_ADDRESSES = {
    "0.0.0.0": AddressKind.UNSPECIFIED,
    "0.1.2.3": AddressKind.UNSPECIFIED,
    "10.0.0.1": AddressKind.PRIVATE,
    "100.64.0.1": AddressKind.SHARED,
    "100.127.255.255": AddressKind.SHARED,
    "100.100.100.200": AddressKind.METADATA,
    "127.0.0.1": AddressKind.LOOPBACK,
    "127.255.255.254": AddressKind.LOOPBACK,
    "168.63.129.16": AddressKind.METADATA,
    "169.254.1.1": AddressKind.LINK_LOCAL,
    "169.254.169.254": AddressKind.METADATA,
    "169.254.170.2": AddressKind.METADATA,
    "172.16.0.1": AddressKind.PRIVATE,
    "172.31.255.255": AddressKind.PRIVATE,
    "192.0.0.8": AddressKind.RESERVED,
    "192.0.0.192": AddressKind.METADATA,
    "192.0.2.1": AddressKind.DOCUMENTATION,
    "192.88.99.1": AddressKind.TRANSLATED,
    "192.168.1.1": AddressKind.PRIVATE,
    "198.18.0.1": AddressKind.BENCHMARKING,
    "198.19.255.255": AddressKind.BENCHMARKING,
    "198.51.100.7": AddressKind.DOCUMENTATION,
    "203.0.113.9": AddressKind.DOCUMENTATION,
    "224.0.0.1": AddressKind.MULTICAST,
    "239.255.255.250": AddressKind.MULTICAST,
    "240.0.0.1": AddressKind.RESERVED,
    "255.255.255.255": AddressKind.RESERVED,
    "::": AddressKind.UNSPECIFIED,
    "::1": AddressKind.LOOPBACK,
    "::7f00:1": AddressKind.TRANSLATED,
    "::ffff:127.0.0.1": AddressKind.TRANSLATED,
    "::ffff:8.8.8.8": AddressKind.TRANSLATED,
    "::ffff:0:127.0.0.1": AddressKind.TRANSLATED,
    "64:ff9b::7f00:1": AddressKind.NAT64,
    "64:ff9b::8.8.8.8": AddressKind.NAT64,
    "64:ff9b:1::a00:1": AddressKind.TRANSLATED,
    "100::1": AddressKind.RESERVED,
    "2001::1": AddressKind.TRANSLATED,
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": AddressKind.TRANSLATED,
    "2001:2::1": AddressKind.BENCHMARKING,
    "2001:10::1": AddressKind.RESERVED,
    "2001:20::1": AddressKind.RESERVED,
    "2001:db8::1": AddressKind.DOCUMENTATION,
    "2002:7f00:1::": AddressKind.TRANSLATED,
    "2002:808:808::1": AddressKind.TRANSLATED,
    "3fff::1": AddressKind.DOCUMENTATION,
    "5f00::1": AddressKind.RESERVED,
    "2a00:1450:4001::5efe:7f00:1": AddressKind.TRANSLATED,
    "2a00:1450:4001::200:5efe:a00:1": AddressKind.TRANSLATED,
    "fc00::1": AddressKind.UNIQUE_LOCAL,
    "fd00:ec2::254": AddressKind.METADATA,
    "fd12:3456::1": AddressKind.UNIQUE_LOCAL,
    "fd20:ce::254": AddressKind.METADATA,
    "fe80::1": AddressKind.LINK_LOCAL,
    "fe80::a9fe:a9fe": AddressKind.LINK_LOCAL,
    "fe80::1%eth0": AddressKind.LINK_LOCAL,
    "2606:4700::1111%eth0": AddressKind.LINK_LOCAL,
    "fec0::1": AddressKind.PRIVATE,
    "ff02::1": AddressKind.MULTICAST,
    "4000::1": AddressKind.RESERVED,
}
PUBLIC_ADDRESSES = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
)
REFUSED_URLS = {
    "plain HTTP": "http://policy.example/",
    "a file": "file:///etc/passwd",
    "no scheme": "//policy.example/",
    "a scheme without an authority": "https:policy.example/",
    "no host": "https:///check",
    "nothing": "",
    "a user name": "https://user@policy.example/",
    "a user name and password": "https://user:secret@policy.example/",
    "an empty user name": "https://@policy.example/",
    "a host that looks like a user name": "https://policy.example@127.0.0.1/",
    "another port": "https://policy.example:8443/",
    "the SSH port": "https://policy.example:22/",
    "port zero": "https://policy.example:0/",
    "port beyond the last": "https://policy.example:65979/",
    "port in letters": "https://policy.example:https/",
    "a decimal address": "https://2130706433/",
    "an octal address": "https://0177.0.0.1/",
    "a hexadecimal address": "https://0x7f000001/",
    "a hexadecimal part": "https://127.0.0.0x1/",
    "a short address": "https://127.1/",
    "one zero": "https://0/",
    "a leading zero": "https://8.8.8.08/",
    "an address with a final dot": "https://127.0.0.1./",
    "a name with a final dot": "https://localhost./",
    "escaped digits": "https://%31%32%37.0.0.1/",
    "an escaped letter": "https://poli%63y.example/",
    "circled digits": "https://①②⑦.⓪.⓪.①/",
    "a wide dot": "https://127。0。0。1/",
    "a name outside ASCII": "https://bücher.example/",
    "a backslash": "https://policy.example\\@127.0.0.1/",
    "a space": "https://policy.example /",
    "a tab": "https://policy\t.example/",
    "a line break": "https://policy.example/\r\nX-Evil: 1",
    "an empty label": "https://policy..example/",
    "a leading hyphen": "https://-policy.example/",
    "a label too long": f"https://{'a' * 64}.example/",
    "a name too long": f"https://{'a.' * 130}example/",
    "a URL too long": f"https://policy.example/{'a' * 2048}",
    "a loopback address": "https://127.0.0.1/",
    "a metadata address": "https://169.254.169.254/latest/meta-data/",
    "a public metadata address": "https://168.63.129.16/",
    "an IPv6 loopback": "https://[::1]/",
    "a mapped loopback": "https://[::ffff:127.0.0.1]/",
    "a mapped loopback in hexadecimal": "https://[::ffff:7f00:1]/",
    "a NAT64 loopback": "https://[64:ff9b::7f00:1]/",
    "a zone id": "https://[fe80::1%25eth0]/",
    "a zone id on a public address": "https://[2606:4700::1111%25eth0]/",
    "an unclosed bracket": "https://[::1/",
    "a future address": "https://[v1.fe80::a]/",
}
READABLE_URLS = {
    "https://policy.example/check": ("policy.example", 443, "/check", "policy.example"),
    "HTTPS://Policy.Example/": ("policy.example", 443, "/", "policy.example"),
    "https://policy.example:443/": ("policy.example", 443, "/", "policy.example"),
    "https://policy.example": ("policy.example", 443, "/", "policy.example"),
    "https://policy.example/a?b=c&d=%20#part": ("policy.example", 443, "/a?b=c&d=%20", "policy.example"),
    "https://xn--bcher-kva.example/": ("xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    "https://policy.example/@x": ("policy.example", 443, "/@x", "policy.example"),
    "https://8.8.8.8/": ("8.8.8.8", 443, "/", "8.8.8.8"),
    "https://[2606:4700:4700::1111]/": ("2606:4700:4700::1111", 443, "/", "[2606:4700:4700::1111]"),
}


async def nobody(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host}:{port} was looked up")


def permit(address: str, *allowed: str, host: str = "") -> bool:
    return OutboundRules.parse(allowed).permit(ip_address(address), host)


@pytest.mark.parametrize(("address", "kind"), REFUSED_ADDRESSES.items())
def test_an_address_that_is_not_public_is_refused_by_its_kind(address: str, kind: AddressKind) -> None:
    assert kind_of(ip_address(address)) is kind
    assert not permit(address)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_address_is_permitted(address: str) -> None:
    assert kind_of(ip_address(address)) is AddressKind.GLOBAL
    assert permit(address)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_the_standard_library_calls_special(
    address: IPv4Address | IPv6Address,
) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved or address.is_link_local

    assert not (permit(str(address)) and special)


@pytest.mark.parametrize("url", REFUSED_URLS.values(), ids=REFUSED_URLS.keys())
def test_a_url_is_refused_without_a_look_up(url: str) -> None:
    with pytest.raises(Refused):
        Guard(OutboundRules(), nobody).check_url(url)


@pytest.mark.parametrize(("url", "parts"), READABLE_URLS.items())
def test_a_plain_url_is_read(url: str, parts: tuple[str, int, str, str]) -> None:
    target = Guard(OutboundRules(), nobody).check_url(url)

    assert (target.host, target.port, target.path, target.host_header) == parts


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.0.0.0x1", "127.1", "0"])
def test_an_odd_spelling_of_an_address_is_called_that(host: str) -> None:
    with pytest.raises(Refused, match="four decimal numbers"):
        Guard(OutboundRules(), nobody).check_url(f"https://{host}/")


def test_a_refusal_names_the_host_and_the_kind_and_no_password() -> None:
    guard = Guard(OutboundRules(), nobody)

    with pytest.raises(Refused, match=r"host '10\.0\.0\.1' .* \(private network\)"):
        guard.check_url("https://10.0.0.1/?key=hunter2")
    with pytest.raises(Refused) as refusal:
        guard.check_url("https://user:hunter2@policy.example/")
    assert "hunter2" not in str(refusal.value)

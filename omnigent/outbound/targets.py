"""What a URL names: read once, by one parser, and only in forms that every parser reads alike."""

import re
from dataclasses import dataclass

import httpx

from omnigent.outbound.addresses import Address, read_address
from omnigent.outbound.errors import Refused

DEFAULT_PORT = 443
MAX_URL_LENGTH = 2048
MAX_HOST_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# inet_aton reads 0x7f000001, 0177.1 and 2130706433 as addresses.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_AUTHORITY = re.compile(r"https://([^/?#]*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a URL leads. `host` is in lower case, without brackets; `path` is what the request line says."""

    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def host_header(self) -> str:
        """The value of `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORT else f"{host}:{self.port}"


def read_target(text: str) -> Target:
    """Read an https URL; Refused in words for anything else and for every ambiguous form."""
    _check_spelling(text)
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as problem:
        raise Refused(f"not a URL: {problem}") from problem
    host = url.raw_host.decode("ascii")
    address = read_address(host)
    if address is None:
        _check_name(host)
    elif "%" in host:
        raise Refused("an address with a zone id is not allowed")
    port = DEFAULT_PORT if url.port is None else url.port
    if not 0 < port < 65536:
        raise Refused(f"no such port: {port}")
    return Target(host=host, port=port, path=url.raw_path.decode("ascii"), address=address)


def is_host_name(text: str) -> bool:
    """Whether the text is a plain host name in lower case that cannot be taken for an address."""
    labels = text.split(".")
    plain = len(text) <= MAX_HOST_LENGTH and all(_LABEL.fullmatch(label) for label in labels)
    return plain and _NUMBER.fullmatch(labels[-1]) is None


def _check_spelling(text: str) -> None:
    if len(text) > MAX_URL_LENGTH:
        raise Refused(f"the URL is longer than {MAX_URL_LENGTH} characters")
    if not text.isascii() or any(letter <= " " or letter in "\\\x7f" for letter in text):
        raise Refused("a URL may not contain spaces, backslashes, control or non-ASCII characters")
    authority = _AUTHORITY.match(text)
    if authority is None:
        raise Refused("only https URLs are allowed")
    if "@" in authority[1]:
        raise Refused("a URL may not contain a user name or password")


def _check_name(host: str) -> None:
    if not host:
        raise Refused("the URL names no host")
    if _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        raise Refused("an address must be written as four decimal numbers")
    if not is_host_name(host):
        raise Refused("the host is not a plain name")

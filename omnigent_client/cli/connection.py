"""Which server a command talks to, and as whom."""

import re
from dataclasses import dataclass
from typing import Final

import httpx

from omnigent_client.cli.credentials import CredentialFile
from omnigent_client.cli.exits import CommandError, UsageError
from omnigent_client.cli.surroundings import Surroundings
from omnigent_client.client import DEFAULT_URL, OmnigentClient
from omnigent_client.streaming.rules import StreamRules

HIGHEST_PORT: Final = 65535
TOKEN: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """An address, and the token for it; None is nobody. `is_token_given`: from the environment."""

    server: str
    token: str | None
    is_token_given: bool

    def open(self, surroundings: Surroundings, *, for_ever: bool = False) -> OmnigentClient:
        """A client; `for_ever` lets a stream wait for a lost server without end."""
        rules = StreamRules(give_up_after=None) if for_ever else StreamRules()
        return OmnigentClient(
            self.server, token=self.token, streaming=rules, transport=surroundings.transport
        )


def connection_of(option: str | None, surroundings: Surroundings) -> Connection:
    """The option, else OMNIGENT_SERVER, else the server logged in to last, else this machine.

    The token is OMNIGENT_TOKEN, else the one that was stored for this address. Raises UsageError
    for an address that is none.
    """
    stored = CredentialFile(surroundings.config_directory).read()
    named = surroundings.environ.get("OMNIGENT_SERVER", "")
    server = address_of(option or named or stored.current or DEFAULT_URL)
    given = surroundings.environ.get("OMNIGENT_TOKEN")
    token = token_of(given) if given else stored.tokens.get(server)
    return Connection(server=server, token=token, is_token_given=bool(given))


def address_of(text: str) -> str:
    """The address in the one spelling that tokens are stored under."""
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise UsageError(f"{text!r} is not an address: {error}") from error
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 1) <= HIGHEST_PORT:
        raise UsageError(f"{text!r} is not an address such as {DEFAULT_URL}")
    if url.userinfo or url.query or url.fragment:
        raise UsageError(f"{text!r} has more in it than a server's address")
    return str(url).rstrip("/")


def token_of(text: str) -> str:
    """A token that can stand in a header. Never says what was wrong with which character."""
    token = text.strip()
    if not TOKEN.fullmatch(token):
        raise CommandError("that is not a token")
    return token

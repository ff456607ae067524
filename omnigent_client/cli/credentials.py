"""Tokens of servers in a file that only its owner can read."""

import json
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from omnigent_client.cli.exits import CommandError

FILE_NAME: Final = "credentials.json"
OWNER_ONLY: Final = 0o700


@dataclass(frozen=True, slots=True)
class Credentials:
    """`tokens` by the server's address; `current` is the server that was logged in to last."""

    tokens: dict[str, str] = field(default_factory=dict)
    current: str | None = None

    def with_token(self, server: str, token: str) -> "Credentials":
        """Logged in to a server, which becomes the current one."""
        return Credentials({**self.tokens, server: token}, server)

    def without(self, server: str) -> "Credentials":
        """Logged out of a server."""
        tokens = {address: token for address, token in self.tokens.items() if address != server}
        return replace(self, tokens=tokens, current=None if self.current == server else self.current)


class CredentialFile:
    """`credentials.json` in the configuration directory, mode 0600, replaced as a whole."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def read(self) -> Credentials:
        """What it holds; nothing when there is no file. Raises CommandError for a file that is not ours."""
        try:
            value = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Credentials()
        except (OSError, ValueError) as error:
            raise CommandError(f"cannot read {self.path}: {error}") from error
        return _credentials_of(value, self.path)

    def write(self, credentials: Credentials) -> None:
        """Replace it. A crash leaves the old one or the new one."""
        value = {"current": credentials.current, "servers": _servers_of(credentials)}
        try:
            self.path.parent.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
            # Made with mode 0600 from its first byte on.
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{FILE_NAME}-")
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    json.dump(value, file, indent=2)
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise CommandError(f"cannot write {self.path}: {error}") from error


def _servers_of(credentials: Credentials) -> dict[str, dict[str, str]]:
    return {server: {"token": token} for server, token in credentials.tokens.items()}


def _credentials_of(value: Any, path: Path) -> Credentials:  # any JSON value
    try:
        tokens = {str(server): str(entry["token"]) for server, entry in value["servers"].items()}
        current = value.get("current")
    except (AttributeError, KeyError, TypeError) as error:
        raise CommandError(f"{path} is not a file of credentials; move it away and log in again") from error
    return Credentials(tokens, current if isinstance(current, str) else None)

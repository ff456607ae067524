"""What every command is given."""

import argparse
from dataclasses import dataclass

from omnigent_client.cli.connection import Connection
from omnigent_client.cli.exits import CommandError, UsageError
from omnigent_client.cli.screen import Screen
from omnigent_client.cli.surroundings import Surroundings
from omnigent_client.client import OmnigentClient


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """The parsed arguments of one command, and everything to do it with."""

    options: argparse.Namespace
    surroundings: Surroundings
    screen: Screen
    connection: Connection

    def open_client(self, *, for_ever: bool = False) -> OmnigentClient:
        """A client of the server; see `Connection.open`."""
        return self.connection.open(self.surroundings, for_ever=for_ever)

    def message_text(self, text: str) -> str:
        """What to say: the argument, or standard input for `-`. Raises UsageError when that is nothing."""
        if text == "-":
            try:
                text = self.surroundings.binary_input.read().decode()
            except UnicodeDecodeError as error:
                raise CommandError(f"standard input is not UTF-8: {error}") from error
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError("the text is not UTF-8") from error
        if not text.strip():
            raise UsageError("there is nothing to say")
        return text

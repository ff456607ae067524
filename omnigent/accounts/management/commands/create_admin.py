"""Make an administrator from the machine itself, for the first one or when nobody else is left."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from omnigent.accounts.services.users import create_user
from omnigent.errors import OmnigentError


class Command(BaseCommand):
    """`manage.py create_admin NAME`."""

    stealth_options = ("stdin",)
    help = "Make an administrator; the password is asked for, or read as a line from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        password = ask_password(options.get("stdin") or sys.stdin)
        try:
            user = create_user(username=options["username"], password=password, is_admin=True)
        except OmnigentError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"{user.username} is an administrator")


def ask_password(source: TextIO) -> str:
    """From the terminal without echo, else the first line that comes."""
    return getpass.getpass("Password: ") if source.isatty() else source.readline().rstrip("\n")

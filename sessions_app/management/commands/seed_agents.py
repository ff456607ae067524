"""Register the shipped agents and those of OMNIGENT_BUILTIN_AGENT_DIRS, or of the paths given."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from agents_app.services import seed
from sessions_app.services import agent_changes


class Command(BaseCommand):
    """`manage.py seed_agents [PATH …]`."""

    help = "Register the operator's agents; agents whose content has not changed are left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths", nargs="*", type=Path, help="files or directories instead of the usual places"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for agent in seed(options["paths"] or None, around=agent_changes.announced):
            self.stdout.write(f"{agent.name}\t{agent.public_id}\tversion {agent.version}")

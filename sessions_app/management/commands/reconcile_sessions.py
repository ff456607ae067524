"""Settle sessions whose runner is gone past its lease; servers do the same every few seconds."""

from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.services import fleet


class Command(BaseCommand):
    """`manage.py reconcile_sessions`."""

    help = "Fail the turns of sessions whose runner was lost, as every server does by itself."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{fleet.reconcile()} sessions settled")

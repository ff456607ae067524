"""Forget log rows and receipts past their retention; servers do the same every hour."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from sessions_app.services import housekeeping


class Command(BaseCommand):
    """`manage.py prune_log`."""

    help = "Delete log rows, receipts and runners past their retention, as every server does by itself."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{housekeeping.prune(timezone.now())} log rows removed")

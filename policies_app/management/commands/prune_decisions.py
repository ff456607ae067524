"""Forget decisions past their retention."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from policies_app.services import decisions


class Command(BaseCommand):
    """`manage.py prune_decisions`."""

    help = "Delete decisions older than OMNIGENT_DECISION_RETENTION_SECONDS."

    def handle(self, *args: Any, **options: Any) -> None:
        kept = timedelta(seconds=settings.OMNIGENT_DECISION_RETENTION_SECONDS)
        self.stdout.write(f"{decisions.prune(timezone.now() - kept)} decisions removed")

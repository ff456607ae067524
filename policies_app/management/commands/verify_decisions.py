"""Read the whole decision log again and say whether it is as it was written."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from policies_app.models import Decision
from policies_app.services import carried
from policies_app.services.verification import verify


class Command(BaseCommand):
    """`manage.py verify_decisions`."""

    help = (
        "Check every hash of the decision log, then those of imported decisions; exits with 1 and names the "
        "first fault when there is one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        fault = verify()
        if fault is not None:
            raise CommandError(fault)
        self.stdout.write(f"{Decision.objects.count()} decisions, each as it was written")
        imported = carried.inspect()
        if imported.fault is not None:
            raise CommandError(imported.fault)
        if imported.rows:
            told = f"{imported.rows} imported decisions in {imported.runs} unbroken runs"
            self.stdout.write(f"{told}, each as its own log had it")

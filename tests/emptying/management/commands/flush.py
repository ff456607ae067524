"""`flush` in place of Django's own, for tests: the rows go, and what migrating wrote about the models stays.

Django's truncates every table and then writes content types and permissions anew, which took most of the time
of a test.
"""

from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.db import connections, transaction

KEPT = frozenset({Permission, ContentType})


class Command(flush.Command):
    """Takes what Django's takes; constraints are checked at the commit, so the order does not matter."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        models = apps.get_models(include_auto_created=True)
        tables = {model._meta.db_table for model in models if model._meta.managed and model not in KEPT}
        with transaction.atomic(using=options["database"]), connection.cursor() as cursor:
            for table in sorted(tables):
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")

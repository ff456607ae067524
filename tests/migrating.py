"""Going to a migration and back, for tests of what migrations do to rows that are there already."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrate(app: str, name: str) -> None:
    """Go to a migration of an app, forwards or back."""
    executor = MigrationExecutor(connection)
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] != app]
    executor.migrate([*targets, (app, name)])


@pytest.fixture
def restored(transactional_db: None) -> Iterator[None]:
    """The newest migrations again after the test: other tests use the same database."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())

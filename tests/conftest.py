"""What every test may use: a pool of database threads, and a data directory that goes away."""

from collections.abc import Iterator

import pytest
from django.db import connection

from omnigent.api.pool import DatabasePool


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """PostgreSQL's test databases go with the private server they are on.

    To drop them one by one would fail at any connection that a last thread still closes.
    """
    return connection.vendor == "postgresql" or bool(request.config.getvalue("reuse_db"))


@pytest.fixture
def pool(transactional_db: None) -> Iterator[DatabasePool]:
    """Two database threads; what they write is committed, and gone after the test."""
    threads = DatabasePool(2)
    yield threads
    threads.close()

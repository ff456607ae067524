"""What every test may use: a pool of database threads, and a data directory that goes away."""

from collections.abc import Iterator

import pytest

from omnigent.api.pool import DatabasePool


@pytest.fixture
def pool(transactional_db: None) -> Iterator[DatabasePool]:
    """Two database threads; what they write is committed, and gone after the test."""
    threads = DatabasePool(2)
    yield threads
    threads.close()

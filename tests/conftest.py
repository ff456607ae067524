"""What every test may use: a pool of database threads, and a data directory that goes away."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings

from omnigent.api.pool import DatabasePool


@pytest.fixture
def pool(transactional_db: None) -> Iterator[DatabasePool]:
    """Two database threads; what they write is committed, and gone after the test."""
    threads = DatabasePool(2)
    yield threads
    threads.close()


def pytest_unconfigure(config: pytest.Config) -> None:
    if settings.configured and "TEST_DATA_DIR" not in os.environ:
        shutil.rmtree(settings.DATA_DIR, ignore_errors=True)

"""A client of what Django answers."""

import pytest
from django.test import Client


@pytest.fixture
def reader(db: None) -> Client:
    """A client on this machine."""
    return Client(headers={"host": "127.0.0.1:6767"})

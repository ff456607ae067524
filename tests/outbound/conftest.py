"""A certificate authority for the whole run."""

import pytest

from tests.outbound.authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Its servers live in the tests, its trust in the clients that are given `ca_file`."""
    return Authority(tmp_path_factory.mktemp("authority"))

"""The private servers: what the tests on PostgreSQL and Redis stand on."""

import psycopg
import pytest
import redis
from django.db import connection

from tests.services.postgres import private_postgres
from tests.services.redis import private_redis


@pytest.mark.postgres
def test_this_part_of_the_tests_runs_on_postgresql() -> None:
    assert connection.vendor == "postgresql"


@pytest.mark.postgres
def test_a_private_postgresql_server_wants_its_password_and_ends() -> None:
    with private_postgres() as server:
        with psycopg.connect(server.create_database("one")) as client:
            row = client.execute("SELECT current_database()").fetchone()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url("one").replace(server.password, "wrong"))

    assert row == ("one",)
    assert not server.directory.exists()


@pytest.mark.cluster
def test_a_private_redis_server_wants_its_password_and_ends() -> None:
    with private_redis() as server, redis.Redis.from_url(server.url()) as client:
        assert client.ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port, password="wrong").ping()

    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(server.url()).ping()

"""The bus between replicas breaks while a reader on one follows a turn on the other."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import psycopg
import pytest
import redis

from tests.e2e.api import texts
from tests.e2e.order import assert_ordered
from tests.e2e.program import wait_for
from tests.e2e.stack import Flavour, Stack
from tests.services.postgres import private_postgres
from tests.services.redis import private_redis

pytestmark = [pytest.mark.e2e, pytest.mark.cluster]

COUNT = 60
# A reader looks at the log at each of its heartbeats (2 s here), whatever the bus does.
LONGEST_PAUSE = 6.0
COMPLAINT = b"bus_connection_lost"
MOST_COMPLAINTS = 10
ENDED_IN_POSTGRES = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND (query LIKE 'LISTEN %' OR query LIKE 'SELECT pg_notify%')
"""


@pytest.fixture(scope="module", params=["postgres", "redis"])
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    """Two replicas, with either bus."""
    name = f"uvicorn-{request.param}-bus"
    with private_postgres() as postgres:
        if request.param == "postgres":
            yield Flavour(name=name, server="uvicorn", replicas=2, postgres=postgres)
            return
        with private_redis() as server:
            yield Flavour(name=name, server="uvicorn", replicas=2, postgres=postgres, redis=server)


def test_a_reader_follows_although_the_connections_of_the_bus_are_ended(
    own_stack: Stack, flavour: Flavour
) -> None:
    follow_a_turn(own_stack, flavour, ends_in_postgres if flavour.redis is None else ends_in_redis)


@pytest.mark.parametrize("flavour", ["redis"], indirect=True)
def test_a_reader_follows_although_redis_is_away_for_a_while(own_stack: Stack, flavour: Flavour) -> None:
    follow_a_turn(own_stack, flavour, restarts_redis)


def follow_a_turn(stack: Stack, flavour: Flavour, fault: Callable[[Stack, Flavour], None]) -> None:
    """Read a turn of the first replica's on the second, and break the bus in the middle of it."""
    stack.move_host(0)
    api = stack.api_of(0)
    session_id = api.create()["id"]
    stream = stack.stream(session_id, after=0, url=stack.replica_url(1))
    api.message(session_id, f"Count to {COUNT} slowly")
    stream.wait_event("response.output_text.delta", count=5)
    broken = len(stream.frames)

    fault(stack, flavour)
    stream.wait_settled(seconds=60)

    assert_ordered(stream.frames)
    assert [stream.text] == texts(api.items(session_id), "assistant")
    assert str(COUNT) in stream.text
    arrivals = [frame.at for frame in stream.frames[broken - 1 :]]
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < LONGEST_PAUSE
    assert stream.connections == 1
    for index in range(len(stack.servers)):
        assert complaints(stack, index) <= MOST_COMPLAINTS


def ends_in_postgres(stack: Stack, flavour: Flavour) -> None:
    """The server ends every connection that listens or notifies."""
    with psycopg.connect(stack.servers[0].environ["DATABASE_URL"], autocommit=True) as client:
        row = client.execute(ENDED_IN_POSTGRES).fetchone()
    assert row is not None and row[0] > len(stack.servers)


def ends_in_redis(stack: Stack, flavour: Flavour) -> None:
    """The server ends every connection but the one that asks."""
    assert flavour.redis is not None
    with redis.Redis.from_url(flavour.redis.url()) as client:
        ended = sum(int(client.client_kill_filter(_type=kind)) for kind in ("pubsub", "normal"))
    assert ended > len(stack.servers)


def restarts_redis(stack: Stack, flavour: Flavour) -> None:
    """The server is away until both replicas have missed it."""
    assert flavour.redis is not None
    flavour.redis.kill()
    for index in range(len(stack.servers)):
        wait_for(lambda index=index: complaints(stack, index) > 2, seconds=20, what="a replica without bus")
    flavour.redis.start()


def complaints(stack: Stack, index: int) -> int:
    """How often a replica has said that it lost the bus."""
    return stack.servers[index].log_path.read_bytes().count(COMPLAINT)

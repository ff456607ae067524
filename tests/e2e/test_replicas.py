"""Two replicas: one of them dies while the other serves."""

import pytest

from tests.e2e.api import texts
from tests.e2e.order import assert_ordered
from tests.e2e.stack import Stack
from tests.e2e.test_losses import COUNT, the_count

HANDOVER_SECONDS = 30


@pytest.mark.parametrize("flavour", ["uvicorn-postgres-redis"], indirect=True)
@pytest.mark.cluster
def test_a_killed_replica_hands_its_tunnels_to_the_other(own_stack: Stack) -> None:
    own_stack.move_host(0)
    other = own_stack.api_of(1)
    session = other.create()
    stream = own_stack.stream(session["id"], url=other.url, after=0)
    other.message(session["id"], f"Count to {COUNT} slowly")
    stream.wait_event("response.output_text.delta", count=5)

    own_stack.tunnels.route_to(None)
    own_stack.servers[0].kill()
    shown = len(stream.text)
    stream.wait(
        lambda frames: len("".join(frame.body["delta"] for frame in frames if is_text(frame.event))) > shown,
        seconds=HANDOVER_SECONDS,
        what="text after the death of the replica",
    )
    stream.wait_settled(seconds=60)

    own_stack.start_server(0)
    expected = the_count(own_stack, session["id"])
    assert stream.text == expected
    assert texts(other.items(session["id"]), "assistant") == [expected]
    assert_ordered(stream.frames)


def is_text(event: str) -> bool:
    """Whether an event carries words."""
    return event == "response.output_text.delta"

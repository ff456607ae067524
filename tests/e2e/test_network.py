"""Broken lines between the server and its host and runners, and between it and its readers."""

import pytest

from tests.e2e.api import texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.stack import Stack
from tests.e2e.test_losses import COUNT, the_count
from tests.net.proxy import Faults


@pytest.fixture
def count_through(own_stack: Stack) -> tuple[Stack, str]:
    """A stack with a session that counts."""
    session_id = own_stack.api.create()["id"]
    own_stack.api.message(session_id, f"Count to {COUNT} slowly")
    return own_stack, session_id


def test_a_tunnel_cut_in_the_middle_of_a_frame_loses_nothing(count_through: tuple[Stack, str]) -> None:
    stack, session_id = count_through
    stream = stack.stream(session_id, after=0, url=stack.replica_url(0))
    stream.wait_event("response.output_text.delta", count=3)

    for deltas in (6, 12):
        stack.tunnels.break_lines(Faults(cut_next=True))
        stream.wait_event("response.output_text.delta", count=deltas, seconds=30)
    stream.wait_settled(seconds=60)

    assert stream.text == the_count(stack, session_id)
    assert_ordered(stream.frames)


def test_tunnels_that_are_all_reset_come_back_without_a_loss(count_through: tuple[Stack, str]) -> None:
    stack, session_id = count_through
    stream = stack.stream(session_id, after=0, url=stack.replica_url(0))
    stream.wait_event("response.output_text.delta", count=3)

    stack.tunnels.kill_connections()
    stream.wait_settled(seconds=60)

    assert stream.text == the_count(stack, session_id)
    assert texts(stack.api.items(session_id), "assistant") == [stream.text]
    assert_ordered(stream.frames)


def test_a_slow_line_is_only_slow(count_through: tuple[Stack, str]) -> None:
    stack, session_id = count_through
    stream = stack.stream(session_id, after=0, url=stack.replica_url(0))
    stack.tunnels.break_lines(Faults(delay_seconds=0.3))

    stream.wait_settled(seconds=60)
    stack.tunnels.heal()

    assert stream.text == the_count(stack, session_id)
    assert_ordered(stream.frames)


def test_a_runner_behind_a_half_open_tunnel_is_given_up_and_heard_when_it_is_back(
    count_through: tuple[Stack, str],
) -> None:
    stack, session_id = count_through
    stream = stack.stream(session_id, after=0, url=stack.replica_url(0))
    stream.wait_event("response.output_text.delta", count=3)

    stack.tunnels.break_lines(Faults(swallow=True))
    stack.api.wait_status(session_id, "failed", seconds=30)
    stack.tunnels.heal()
    stack.api.wait_status(session_id, "idle", seconds=60)
    parts = texts(stack.api.items(session_id), "assistant")
    stack.api.message(session_id, "Run the shell command: echo alive")

    stream.wait_event("response.completed", count=2, seconds=60)
    stack.api.wait_status(session_id, "idle", seconds=30)
    assert len(parts) == 2
    assert "".join(parts) == the_count(stack, session_id)
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, stack.api.items(session_id))


def test_a_reader_behind_a_thin_line_gets_the_whole_log(count_through: tuple[Stack, str]) -> None:
    stack, session_id = count_through
    quick = stack.stream(session_id, after=0, url=stack.replica_url(0))
    thin = stack.stream(session_id, after=0)
    stack.clients.break_lines(Faults(bytes_per_second=4000))

    quick.wait_settled(seconds=60)
    thin.wait_settled(seconds=60)
    stack.clients.heal()

    assert [frame.data for frame in thin.logged] == [frame.data for frame in quick.logged]

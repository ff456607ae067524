"""The released host and runner when something is lost: the runner, the server, the session."""

import signal

import pytest

from tests.e2e.api import texts
from tests.e2e.program import wait_for
from tests.e2e.stream import assert_no_gap
from tests.interop.models import Models
from tests.interop.released import SECONDS, Desk
from tests.interop.test_turns import shell

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

LOST = 5  # what is between the runner and the last commit, at ten words a second
NUMBERS = [str(number) for number in range(1, 61)]


def test_a_killed_runner_fails_its_turn_and_the_next_message_gets_another(desk: Desk, models: Models) -> None:
    session_id = desk.session()
    stream = desk.stack.stream(session_id, after=0)
    desk.stack.api.message(session_id, "Count to 60 slowly")
    stream.wait_event("response.output_text.delta", count=5, seconds=SECONDS)
    before = desk.stack.api.snapshot(session_id)["runner_id"]

    desk.runner_of(session_id).kill()
    failed = desk.stack.api.wait_status(session_id, "failed", seconds=SECONDS)
    desk.stack.api.message(session_id, "are you there")
    stream.wait_settled(turns=2, seconds=SECONDS)

    assert failed["last_task_error"]["code"] == "runner_disconnected"
    after = desk.stack.api.snapshot(session_id)
    assert (after["status"], after["last_task_error"]) == ("idle", None)
    assert after["runner_id"] not in (None, before)
    said = texts(desk.stack.api.items(session_id), "assistant")
    assert said[0].split()[:5] == ["1", "2", "3", "4", "5"]
    assert said[-1] == "You said: are you there"
    assert set(models.told("are you there")) == {1}
    assert_no_gap([frame for frame in stream.frames if frame.id is not None])


def test_a_deleted_session_is_gone_from_the_host(desk: Desk) -> None:
    workspace = desk.workspace()
    session_id = desk.session(workspace=workspace)
    desk.stack.api.message(session_id, shell("echo kept > kept.txt"))
    desk.stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    wait_for(lambda: desk.outputs(session_id), seconds=SECONDS, what="the tool", every=0.1)
    runner = desk.runner_of(session_id)

    answer = desk.stack.api.http.delete(f"/v1/sessions/{session_id}")

    assert answer.json()["deleted"] is True
    wait_for(lambda: not runner.is_running(), seconds=SECONDS, what="the runner ended")
    assert desk.stack.api.http.get(f"/v1/sessions/{session_id}").status_code == 404
    assert (workspace / "kept.txt").read_text() == "kept\n"
    assert desk.is_online()


def test_a_server_that_restarts_politely_loses_nothing(own_desk: Desk, models: Models) -> None:
    stack = own_desk.stack
    session_id = own_desk.session()
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, "Count to 41 slowly")
    stream.wait_event("response.output_text.delta", count=5, seconds=SECONDS)

    for index, server in enumerate(stack.servers):
        server.stop()
        stack.start_server(index)
    stream.wait_event("response.completed", seconds=2 * SECONDS)
    own_desk.wait_online()
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    stack.api.message(session_id, "still there")
    wait_for(
        lambda: texts(stack.api.items(session_id), "assistant")[-1] == "You said: still there",
        seconds=SECONDS,
        what="the turn after the restart",
        every=0.1,
    )

    counted = texts(stack.api.items(session_id), "assistant")[:-1]
    assert "".join(counted).split() == NUMBERS[:41]
    assert len(models.told("Count to 41 slowly")) == 2  # its own turn, and the one after the restart
    assert_no_gap([frame for frame in stream.frames if frame.id is not None])


def test_a_killed_server_loses_a_moment_of_text_at_most(own_desk: Desk, models: Models) -> None:
    stack = own_desk.stack
    session_id = own_desk.session()
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, "Count to 42 slowly")
    stream.wait_event("response.output_text.delta", count=5, seconds=SECONDS)

    for server in stack.servers:
        server.kill()
    for index in range(len(stack.servers)):
        stack.start_server(index)
    own_desk.wait_online()
    stack.api.wait_status(session_id, "idle", seconds=2 * SECONDS)

    items = stack.api.items(session_id)
    counted = "".join(texts(items, "assistant")).split()
    assert [number for number in NUMBERS[:42] if number in counted] == counted, "in order, each once"
    lost = [number for number in NUMBERS[:42] if number not in counted]
    assert len(lost) <= LOST, lost
    assert texts(items, "user") == ["Count to 42 slowly"]
    assert len(models.told("Count to 42 slowly")) == 1


def test_a_turn_whose_end_a_killed_server_lost_is_over(own_desk: Desk, models: Models) -> None:
    stack = own_desk.stack
    session_id = own_desk.session()
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, "Count to 15 slowly")
    stream.wait_event("response.output_text.delta", count=5, seconds=SECONDS)

    # The runner ends its turn into the sockets of servers that will never read them.
    for server in stack.servers:
        server.signal(signal.SIGSTOP)
    wait_for(lambda: models.are_answered, seconds=SECONDS, what="the end of the model's answer")
    for server in stack.servers:
        server.kill()
    for index in range(len(stack.servers)):
        stack.start_server(index)
    own_desk.wait_online()
    session = stack.api.wait_status(session_id, "idle", seconds=2 * SECONDS)
    stack.api.message(session_id, "and what now")
    wait_for(
        lambda: texts(stack.api.items(session_id), "assistant")[-1] == "You said: and what now",
        seconds=SECONDS,
        what="the next turn",
        every=0.1,
    )

    said = texts(stack.api.items(session_id), "assistant")[0].split()
    assert said[:5] == NUMBERS[:5]
    assert [number for number in NUMBERS[:15] if number in said] == said, "in order, each once"
    assert session["last_task_error"] is None
    assert len(models.told("Count to 15 slowly")) == 2

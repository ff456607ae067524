"""kill -9 of every kind of process while a turn runs."""

import os
import signal
import time

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered
from tests.e2e.stack import Stack
from tests.e2e.stream import assert_no_gap

COUNT = 40


def counting(stack: Stack, number: int = COUNT) -> str:
    """A session in the middle of a long streamed answer."""
    session_id: str = stack.api.create()["id"]
    stack.api.message(session_id, f"Count to {number} slowly")
    return session_id


def the_count(stack: Stack, session_id: str) -> str:
    """The text that an undisturbed session gets for the same message."""
    stack.wait_host()
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], texts(stack.api.items(session_id), "user")[0])
    stream.wait_settled()
    return texts(stack.api.items(session["id"]), "assistant")[-1]


def test_a_killed_runner_fails_the_turn_at_once_and_the_next_message_relaunches(own_stack: Stack) -> None:
    session_id = counting(own_stack)
    stream = own_stack.stream(session_id, after=0)
    stream.wait_event("response.output_text.delta", count=5)
    [runner] = own_stack.runner_pids()

    killed = time.monotonic()
    os.kill(runner, signal.SIGKILL)
    stream.wait_status("failed", seconds=10)

    failed = [frame for frame in stream.frames if frame.event == "session.status"][-1]
    assert failed.at - killed < 10
    snapshot = own_stack.api.snapshot(session_id)
    error = failed.body["error"]
    assert (error["code"], snapshot["last_task_error"]["code"]) == ("runner_disconnected",) * 2
    assert "killed by SIGKILL" in error["message"]
    assert "--- runner log tail ---" in error["cause"]
    assert "tunnel up" in error["cause"]
    assert snapshot["runner_online"] is False
    assert own_stack.api.get(f"/v1/runners/{snapshot['runner_id']}/status")["online"] is False
    assert texts(own_stack.api.items(session_id), "assistant") == [stream.text]
    assert len(texts(own_stack.api.items(session_id), "user")) == 1

    own_stack.api.message(session_id, "Run the shell command: echo back")
    stream.wait_event("response.completed")
    stream.wait_settled()
    assert own_stack.api.snapshot(session_id)["runner_id"] != snapshot["runner_id"]
    assert "back" in of_type(own_stack.api.items(session_id), "function_call_output")[-1]["output"]
    assert_no_gap(stream.frames)


def test_a_killed_host_takes_its_runners_along_and_the_session_is_settled(own_stack: Stack) -> None:
    session_id = counting(own_stack, 600)
    stream = own_stack.stream(session_id, after=0)
    stream.wait_event("response.output_text.delta", count=5)

    own_stack.kill_host()

    own_stack.wait_no_runners(seconds=10)
    own_stack.api.wait_status(session_id, "failed", seconds=20)
    own_stack.host.start()
    own_stack.wait_host()
    own_stack.api.message(session_id, "Hello")
    stream.wait_event("response.completed", seconds=30)


def test_an_idle_session_stays_idle_when_its_host_dies(own_stack: Stack) -> None:
    session = own_stack.api.create()
    stream = own_stack.stream(session["id"], after=0)
    own_stack.api.message(session["id"], "Hello")
    stream.wait_settled()

    own_stack.kill_host()
    own_stack.wait_no_runners(seconds=10)
    counted = counting_lost(own_stack)

    assert counted == "idle"
    assert own_stack.api.snapshot(session["id"])["status"] == "idle"


def counting_lost(stack: Stack) -> str:
    """The status of a fresh session after the time in which a lost turn would have been settled."""
    stack.host.start()
    stack.wait_host()
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], "Think for 9 seconds")
    stream.wait_settled()
    return str(stack.api.snapshot(session["id"])["status"])


def test_a_killed_server_loses_not_one_token_of_a_running_turn(own_stack: Stack) -> None:
    session_id = counting(own_stack)
    stream = own_stack.stream(session_id, after=0)
    stream.wait_event("response.output_text.delta", count=5)

    for index, server in enumerate(own_stack.servers):
        server.kill()
        own_stack.start_server(index)
    stream.wait_settled(seconds=60)

    expected = the_count(own_stack, session_id)
    assert texts(own_stack.api.items(session_id), "assistant") == [expected]
    assert stream.text == expected
    assert own_stack.api.snapshot(session_id)["status"] == "idle"
    assert texts(own_stack.api.items(session_id), "user") == [f"Count to {COUNT} slowly"]
    assert_ordered(stream.frames)


def test_an_accepted_message_is_there_once_after_a_crash(own_stack: Stack) -> None:
    session = own_stack.api.create()
    stream = own_stack.stream(session["id"], after=0)
    own_stack.api.message(session["id"], "First")
    stream.wait_settled()

    item_id = own_stack.api.message(session["id"], "Second", key="the-second")
    for index, server in enumerate(own_stack.servers):
        server.kill()
        own_stack.start_server(index)
    again = own_stack.api.message(session["id"], "Second", key="the-second")
    stream.wait_settled(turns=2, seconds=60)

    assert again == item_id
    items = own_stack.api.items(session["id"])
    assert texts(items, "user") == ["First", "Second"]
    assert len(texts(items, "assistant")) == 2
    assert_ordered(stream.frames)

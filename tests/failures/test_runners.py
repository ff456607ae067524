"""Runners that hang, that leave because they have nothing to do, and that wake when nobody wants them."""

import signal
import threading
from typing import Any

import httpx

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack
from tests.failures.questions import answer, question
from tests.failures.runners import runner_by_hand, runner_log, runner_of

NUMBERS = 30
COUNTED = "".join(f"{number} " for number in range(1, NUMBERS + 1)) + "\n"
SECONDS = 60.0


def test_a_runner_that_hangs_is_found_out_and_heard_when_it_goes_on(stack: Stack) -> None:
    quiet = stack.api.create()["id"]
    stack.api.message(quiet, "Count to 2")
    stack.api.wait_status(quiet, "idle", seconds=SECONDS)
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, f"Count to {NUMBERS} slowly")
    stream.wait_event("response.output_text.delta", count=3)
    runner, idle_runner = runner_of(stack, session_id), runner_of(stack, quiet)

    runner.send_signal(signal.SIGSTOP)
    idle_runner.send_signal(signal.SIGSTOP)
    failed = stack.api.wait_status(session_id, "failed", seconds=SECONDS)
    wait_for(lambda: not is_online(stack, quiet), seconds=SECONDS, what="the idle one offline", every=0.1)
    told = stack.api.snapshot(session_id)
    runner.send_signal(signal.SIGCONT)
    idle_runner.send_signal(signal.SIGCONT)
    stream.wait_settled(turns=2, seconds=2 * SECONDS)

    assert failed["last_task_error"]["code"] == "runner_disconnected"
    assert told["runner_online"] is False
    items = stack.api.items(session_id)
    parts = texts(items, "assistant")
    assert len(parts) == 2
    assert "".join(parts) == stream.text == COUNTED
    assert len(texts(items, "user")) == 1
    after = stack.api.snapshot(session_id)
    assert (after["status"], after["last_task_error"]) == ("idle", None)
    assert stack.api.snapshot(quiet)["status"] == "idle"
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, items)


def test_an_idle_runner_leaves_and_the_next_message_starts_another(stack: Stack) -> None:
    stack.host.stop()
    stack.host.start(OMNIGENT_IDLE_TIMEOUT="1")
    stack.wait_host()
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, "Count to 3")
    stream.wait_settled()
    first = stack.api.snapshot(session_id)["runner_id"]
    counted = stream.last_id

    wait_for(lambda: not is_online(stack, session_id), seconds=SECONDS, what="the runner gone", every=0.1)
    left = stack.api.snapshot(session_id)
    stack.api.message(session_id, "Summarise the conversation so far")
    stream.wait_settled(turns=2)

    assert "runner idle shutdown" in runner_log(stack, first).read_text()
    assert (left["status"], left["last_task_error"]) == ("idle", None)
    assert left["resume_after"] == counted
    assert stack.api.snapshot(session_id)["runner_id"] != first
    items = stack.api.items(session_id)
    assert texts(items, "user") == ["Count to 3", "Summarise the conversation so far"]
    assert "Count to 3" in texts(items, "assistant")[-1]
    assert_ordered(stream.frames)


def test_a_message_at_the_moment_at_which_an_idle_runner_leaves_is_answered(stack: Stack) -> None:
    stack.host.stop()
    stack.host.start(OMNIGENT_IDLE_TIMEOUT="0.5")
    stack.wait_host()
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id, after=0)
    rounds = 8

    for number in range(rounds):
        stack.api.message(session_id, f"Run the shell command: echo {number}")
        stream.wait_event("response.completed", count=number + 1, seconds=SECONDS)
        # Some rounds come before the runner leaves, some while it is leaving, some after that.
        threading.Event().wait(0.4 + 0.05 * number)
    stream.wait_settled(turns=rounds)

    items = stack.api.items(session_id)
    outputs = [item["output"].strip() for item in of_type(items, "function_call_output")]
    assert outputs == [str(number) for number in range(rounds)]
    assert len(texts(items, "user")) == rounds
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, items)


def test_a_runner_that_wakes_after_another_took_its_session_changes_nothing(stack: Stack) -> None:
    with runner_by_hand(stack, "old") as old, runner_by_hand(stack, "new") as new:
        session_id, clock = [stack.api.create(host_id=None)["id"] for _ in range(2)]
        bind(stack, session_id, old.runner_id)
        bind(stack, clock, old.runner_id)
        stream = stack.stream(session_id, after=0)
        stack.api.message(session_id, f"Count to {NUMBERS} slowly\nRun the shell command: echo old >> trace")
        stream.wait_event("response.output_text.delta", count=3)
        old.program.signal(signal.SIGSTOP)
        stack.api.wait_status(session_id, "failed", seconds=SECONDS)
        bind(stack, session_id, new.runner_id)
        stack.api.message(session_id, "Run the shell command: echo new >> trace")
        stream.wait_event("response.completed", seconds=SECONDS)
        stack.api.wait_status(session_id, "idle", seconds=SECONDS)
        before = history(stack, session_id)

        old.program.signal(signal.SIGCONT)
        stack.wait_runner(old.runner_id)
        # It counts here, too, and goes on there meanwhile: once it has come to the end here it has there.
        stack.api.message(clock, f"Count to {2 * NUMBERS} slowly")
        stack.api.wait_status(clock, "running", seconds=SECONDS)
        stack.api.wait_status(clock, "idle", seconds=SECONDS)

        assert history(stack, session_id) == before
        assert (new.workspace / "trace").read_text() == "new\n"
        assert not (old.workspace / "trace").exists()
        assert_ordered(stream.frames)


def test_an_answer_to_a_runner_that_hangs_for_long_is_heard_when_it_goes_on(stack: Stack) -> None:
    with runner_by_hand(stack, "asking") as runner:
        session_id = stack.api.create(host_id=None)["id"]
        bind(stack, session_id, runner.runner_id)
        stream = stack.stream(session_id, after=0)
        stack.api.message(session_id, "Ask me before running: echo once >> trace && cat trace")
        asked = question(stack.api, session_id)

        runner.program.signal(signal.SIGSTOP)
        answer(stack.api, session_id, asked, "accept")
        # Nobody knows yet. Deliveries are tried in their order: when this one is given up the answer is, too.
        stack.api.message(session_id, "Count to 2")
        wait_for(
            lambda: "runner_unavailable" in errors(stack, session_id),
            seconds=SECONDS,
            what="nothing more tried",
            every=0.1,
        )
        runner.program.signal(signal.SIGCONT)
        stream.wait_event("response.completed", seconds=2 * SECONDS)
        stack.api.message(session_id, f"Count to {NUMBERS}")
        stream.wait_event("response.completed", count=2, seconds=SECONDS)

        items = stack.api.items(session_id)
        assert [item["output"] for item in of_type(items, "function_call_output")] == ["once\n"]
        assert texts(items, "assistant")[-1] == COUNTED
        assert_ordered(stream.frames)
        assert_same_as_items(stream.frames, items)


def errors(stack: Stack, session_id: str) -> list[str]:
    """The codes of what the conversation says has failed."""
    return [item["code"] for item in of_type(stack.api.items(session_id), "error")]


def is_online(stack: Stack, session_id: str) -> bool:
    """Whether the session's runner has a tunnel."""
    return bool(stack.api.snapshot(session_id)["runner_online"])


def bind(stack: Stack, session_id: str, runner_id: str) -> None:
    """Give the session to a runner."""
    answer = stack.api.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner_id})
    assert answer.status_code == httpx.codes.OK, answer.text


def history(stack: Stack, session_id: str) -> dict[str, Any]:
    """What there is to see of a session: its items, and how far its log goes."""
    session = stack.api.snapshot(session_id)
    kept = ("status", "last_task_error", "resume_after", "usage", "runner_id")
    return {**{key: session.get(key) for key in kept}, "items": stack.api.items(session_id)}

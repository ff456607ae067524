"""Hosts that hang, and hosts that are started again while their runners work."""

import signal

import httpx
import pytest

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack
from tests.failures.runners import runner_of

SECONDS = 60.0
LONG = 120
COUNTED = "".join(f"{number} " for number in range(1, LONG + 1)) + "\n"


@pytest.mark.parametrize("word", ["TERM", "KILL"])
def test_a_host_that_is_started_again_ends_its_runners_and_works_on(stack: Stack, word: str) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, "Count to 6000 slowly")
    stream.wait_event("response.output_text.delta", count=5)
    runner = runner_of(stack, session_id)

    stack.host.signal(signal.Signals[f"SIG{word}"])
    stack.host.wait(SECONDS)
    stack.host.start()
    stack.wait_host()
    failed = stack.api.wait_status(session_id, "failed", seconds=SECONDS)
    wait_for(lambda: not runner.is_running(), seconds=SECONDS, what="the old runner ended", every=0.1)
    shown = stream.text
    stack.api.message(session_id, "Run the shell command: echo back")
    stream.wait_event("response.completed", seconds=SECONDS)
    stream.wait_settled(turns=2)

    assert failed["last_task_error"]["code"] in ("runner_disconnected", "runner_stopped")
    items = stack.api.items(session_id)
    assert texts(items, "assistant")[0] == shown
    assert texts(items, "user") == ["Count to 6000 slowly", "Run the shell command: echo back"]
    assert of_type(items, "function_call_output")[-1]["output"] == "back\n"
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, items)


def test_a_host_that_hangs_is_found_out_and_its_runner_works_on(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, f"Count to {LONG} slowly")
    stream.wait_event("response.output_text.delta", count=5)

    stack.host.signal(signal.SIGSTOP)
    wait_for(lambda: not stack.has_host(), seconds=SECONDS, what="the host offline", every=0.1)
    told = stack.api.snapshot(session_id)
    refused = stack.api.http.post(
        "/v1/sessions", json={"agent_id": stack.api.agent_id(), "host_id": "auto", "title": "nowhere"}
    )
    stack.host.signal(signal.SIGCONT)
    stack.wait_host()
    stream.wait_settled(seconds=SECONDS)

    assert (told["host_online"], told["runner_online"]) == (False, True)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert refused.json()["error"]["code"] == "host_offline"
    assert stack.api.get("/v1/sessions", search_query="nowhere")["data"] == []
    assert stream.text == COUNTED
    assert texts(stack.api.items(session_id), "assistant") == [COUNTED]
    assert stack.api.snapshot(session_id)["status"] == "idle"
    assert_ordered(stream.frames)


def test_a_message_for_a_host_that_is_away_is_refused_and_stores_nothing(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, "Count to 2")
    stream.wait_settled()
    before = stack.api.items(session_id)

    stack.kill_host()
    wait_for(
        lambda: not stack.api.snapshot(session_id)["runner_online"],
        seconds=SECONDS,
        what="the runner offline",
        every=0.1,
    )
    body = {"role": "user", "content": [{"type": "input_text", "text": "Count to 3"}]}
    refused = stack.api.post(session_id, {"type": "message", "data": body}, key="later")
    nothing = stack.api.items(session_id)
    stack.host.start()
    stack.wait_host()
    accepted = stack.api.post(session_id, {"type": "message", "data": body}, key="later")
    stream.wait_settled(turns=2)

    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert nothing == before
    assert accepted.status_code == httpx.codes.ACCEPTED
    assert texts(stack.api.items(session_id), "user") == ["Count to 2", "Count to 3"]
    assert texts(stack.api.items(session_id), "assistant") == ["1 2 \n", "1 2 3 \n"]

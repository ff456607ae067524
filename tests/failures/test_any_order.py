"""Servers, host and runners end and start in any order while somebody talks: nothing is lost or stuck."""

import logging
import os
import random
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from tests.e2e.api import Api, message, of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack
from tests.e2e.stream import Frame, Stream
from tests.failures.conftest import make_whole
from tests.failures.restarts import perform, schedule

log = logging.getLogger(__name__)

STEPS = 12
MESSAGES = 10
SECONDS = 60.0
RETRIED = (httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE)
LAST = "Run the shell command: echo the end"


def test_restarts_in_any_order_lose_nothing_and_leave_nothing_stuck(stack: Stack) -> None:
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**6))
    log.warning("repeat with CHAOS_SEED=%s", seed)
    session_id = str(stack.api.create()["id"])
    stream = stack.stream(session_id, after=0)
    words = [f"Count to {number + 3} slowly" for number in range(MESSAGES)]

    with ThreadPoolExecutor(1) as person, Api(stack.url) as api:
        talking = person.submit(talk, api, session_id, words)
        for step in schedule(seed, STEPS):
            log.warning("%s", step)
            perform(stack, step)
            threading.Event().wait(step.pause)
        make_whole(stack)
        accepted = talking.result(SECONDS)
    at_rest(stack, session_id)
    accepted += talk(stack.api, session_id, [LAST])
    wait_for(lambda: has_ended(stack, session_id), seconds=SECONDS, what="the last answer", every=0.2)

    check(stack, session_id, stream, said=[*words, LAST], accepted=accepted)


def talk(api: Api, session_id: str, words: Sequence[str]) -> list[str]:
    """Send one message after the other, each with its key until it is accepted; the ids of their items."""
    return [accepted(api, session_id, text, key=uuid.uuid4().hex) for text in words]


def accepted(api: Api, session_id: str, text: str, *, key: str) -> str:
    """What a client does that cannot know whether its message has arrived."""
    answers: list[httpx.Response] = []

    def is_settled() -> bool:
        try:
            answers.append(api.post(session_id, message(text), key=key))
        except httpx.TransportError:
            return False
        return answers[-1].status_code not in RETRIED

    wait_for(is_settled, seconds=SECONDS, what=f"{text} accepted", every=0.1)
    assert answers[-1].status_code == httpx.codes.ACCEPTED, answers[-1].text
    return str(answers[-1].json()["item_id"])


def at_rest(stack: Stack, session_id: str) -> None:
    """Wait until the session neither runs nor waits."""
    wait_for(
        lambda: stack.api.snapshot(session_id, include_items="false")["status"] in ("idle", "failed"),
        seconds=SECONDS,
        what="a session at rest",
        every=0.2,
    )


def has_ended(stack: Stack, session_id: str) -> bool:
    """Whether the last command was run and the session is idle."""
    outputs = [item["output"] for item in of_type(stack.api.items(session_id), "function_call_output")]
    return outputs == ["the end\n"] and stack.api.snapshot(session_id)["status"] == "idle"


def check(
    stack: Stack, session_id: str, stream: Stream, *, said: Sequence[str], accepted: Sequence[str]
) -> None:
    """R1: every accepted message once and in order. R2: the reader has the log. R3: nothing is stuck."""
    session, items = stack.api.snapshot(session_id), stack.api.items(session_id)
    people = [item for item in items if item["type"] == "message" and item["role"] == "user"]
    assert [item["id"] for item in people] == list(accepted)
    assert texts(items, "user") == list(said)

    whole = stack.stream(session_id, after=0)
    for reader in (stream, whole):
        reader.wait(
            partial(has_come_to, session["resume_after"]), seconds=SECONDS, what="the whole log received"
        )
    assert [(frame.id, frame.data) for frame in stream.logged] == [
        (frame.id, frame.data) for frame in whole.logged
    ]
    assert_ordered(whole.frames)
    assert_same_as_items(whole.frames, items)
    assert stream.text == "".join(texts(items, "assistant"))

    assert (session["status"], session["last_task_error"]) == ("idle", None)
    assert session["pending_elicitations"] == []
    assert stack.api.get(f"/v1/runners/{session['runner_id']}/status")["online"] is True


def has_come_to(head: int, frames: Sequence[Frame]) -> bool:
    """Whether the frames reach this number of the log."""
    return any((frame.id or 0) >= head for frame in frames)

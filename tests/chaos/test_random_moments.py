"""kill -9 of servers at random moments of streaming turns, again and again."""

import logging
import os
import random
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.chaos.conftest import Chaos
from tests.e2e.api import Api, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.program import wait_for
from tests.e2e.stream import Frame

pytestmark = pytest.mark.chaos
log = logging.getLogger(__name__)
NUMBERS = 60
KILLS = 4


def test_turns_are_complete_token_for_token_whenever_servers_die(chaos: Chaos) -> None:
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**6))
    log.warning("repeat with CHAOS_SEED=%s", seed)
    dice = random.Random(seed)
    api = chaos.stack.api
    sessions = [str(api.create()["id"]) for _ in range(2)]
    streams = [chaos.stack.stream(session_id, after=0) for session_id in sessions]
    for session_id in sessions:
        api.message(session_id, f"Count to {NUMBERS} slowly")

    for _ in range(KILLS):
        threading.Event().wait(dice.uniform(0.05, 1.5))
        dice.choice(chaos.stack.servers).kill()
        chaos.restart()
    # A runner that stayed away for longer than its lease was given up; once it is back the rest comes, too.
    for session_id, stream in zip(sessions, streams, strict=True):
        session = wait_for(partial(at_rest, api, session_id), seconds=90, what="an idle session", every=0.1)
        assert session is not None
        head = session["resume_after"]
        stream.wait(partial(has_come_to, head), seconds=20, what=f"event {head}")

    counted = ["".join(texts(api.items(session_id), "assistant")) for session_id in sessions]
    assert counted[0] == counted[1]
    assert str(NUMBERS) in counted[0]
    for session_id, stream, words in zip(sessions, streams, counted, strict=True):
        assert stream.text == words
        assert_ordered(stream.frames)
        assert_same_as_items(stream.frames, api.items(session_id))


def at_rest(api: Api, session_id: str) -> dict[str, Any] | None:
    """The session once it is idle. No failure may stand but that of a runner that is still away."""
    session = api.snapshot(session_id)
    error = session["last_task_error"]
    assert error is None or error["code"] == "runner_disconnected", error
    return session if session["status"] == "idle" else None


def has_come_to(head: int, frames: Sequence[Frame]) -> bool:
    """Whether the frames reach this number of the log."""
    return any((frame.id or 0) >= head for frame in frames)

"""kill -9 of servers at random moments of streaming turns, again and again."""

import logging
import os
import random
import threading

import pytest

from tests.chaos.conftest import Chaos
from tests.e2e.api import texts
from tests.e2e.order import assert_ordered, assert_same_as_items

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
    for stream in streams:
        stream.wait_settled(seconds=90)

    counted = [texts(api.items(session_id), "assistant") for session_id in sessions]
    assert counted[0] == counted[1]
    assert str(NUMBERS) in counted[0][0]
    for session_id, stream, words in zip(sessions, streams, counted, strict=True):
        assert [stream.text] == words
        assert_ordered(stream.frames)
        assert_same_as_items(stream.frames, api.items(session_id))

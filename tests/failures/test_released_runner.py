"""What a kill -9 of the servers can cost a turn of a runner that cannot acknowledge: a few words, no more."""

from collections.abc import Sequence
from itertools import pairwise

import httpx
import pytest

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.stack import Stack
from tests.failures.released import ReleasedRunner
from tests.tunnel.script import call, output

WORDS = [f"{number:04} " for number in range(200)]
SECONDS = 60.0
# Those that were on their way from the runner to the disk. One takes 20 ms, so these are two seconds.
MOST_LOST = 100


@pytest.mark.parametrize("moment", [40, 195], ids=["in the middle", "near the end"])
def test_a_killed_server_costs_a_released_runner_words_and_nothing_else(stack: Stack, moment: int) -> None:
    calls = [call(state="in_progress"), call(), output()]
    with ReleasedRunner(stack.tunnels.url, words=WORDS, pace=0.02, calls=calls) as runner:
        stack.wait_runner(runner.runner_id)
        session_id = stack.api.create(host_id=None)["id"]
        bound = stack.api.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})
        assert bound.status_code == httpx.codes.OK, bound.text
        stream = stack.stream(session_id, after=0)
        stack.api.message(session_id, "Go")
        stream.wait(
            lambda frames: WORDS[moment] in text_of([frame.data for frame in frames]),
            seconds=SECONDS,
            what=f"word {moment}",
        )

        for server in stack.servers:
            server.kill()
        for index in range(len(stack.servers)):
            stack.start_server(index)
        stream.wait_settled(seconds=SECONDS)

        items = stack.api.items(session_id)
        [said] = texts(items, "assistant")
        assert runner.prompts == ["Go"]
        assert texts(items, "user") == ["Go"]
        assert [item["call_id"] for item in of_type(items, "function_call")] == ["call_1"]
        assert [item["call_id"] for item in of_type(items, "function_call_output")] == ["call_1"]
        assert said == stream.text
        assert_one_short_gap(said)
        session = stack.api.snapshot(session_id)
        assert (session["status"], session["last_task_error"]) == ("idle", None)
        assert_ordered(stream.frames)
        assert_same_as_items(stream.frames, items)


def text_of(data: Sequence[str]) -> str:
    """Everything received, to look for a word in."""
    return "".join(data)


def assert_one_short_gap(said: str) -> None:
    """What is there is in its order and was there from the start; what is missing is missing in one place."""
    numbers = [int(word) for word in said.split()]
    assert numbers[:1] == [0]
    assert numbers == sorted(set(numbers))
    gaps = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
    assert len(gaps) <= 1, gaps
    assert len(WORDS) - len(numbers) <= MOST_LOST

"""Servers that are stopped, killed, away for long or hanging while turns run and questions wait."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.program import Program, wait_for
from tests.e2e.stack import Stack
from tests.failures.conftest import PATIENT_LEASE_SECONDS
from tests.failures.questions import answer, question
from tests.failures.runners import runner_log

SECONDS = 60.0
NUMBERS = 60
COUNTED = "".join(f"{number} " for number in range(1, NUMBERS + 1)) + "\n"
CLUSTER = [pytest.mark.parametrize("flavour", ["uvicorn-postgres-redis"], indirect=True), pytest.mark.cluster]
WORK = "Ask me before running: echo once >> trace && cat trace"


def kill(server: Program) -> None:
    """kill -9."""
    server.kill()


def stop(server: Program) -> None:
    """SIGTERM, which has to end it in good order."""
    assert server.stop() == 0


def test_servers_that_are_asked_to_stop_send_everybody_elsewhere_and_the_turn_goes_on(
    patient_stack: Stack,
) -> None:
    session_id = patient_stack.api.create()["id"]
    stream = patient_stack.stream(session_id, after=0)
    before = patient_stack.host.log_path.stat().st_size
    patient_stack.api.message(session_id, f"Count to {NUMBERS} slowly")
    stream.wait_event("response.output_text.delta", count=5)
    runner_id = patient_stack.api.snapshot(session_id)["runner_id"]

    for server in patient_stack.servers:
        stop(server)
    for index in range(len(patient_stack.servers)):
        patient_stack.start_server(index)
    stream.wait_settled(seconds=2 * SECONDS)

    assert "link down code=1012" in patient_stack.host.log_path.read_text()[before:]
    assert "link down code=1012" in runner_log(patient_stack, runner_id).read_text()
    items = patient_stack.api.items(session_id)
    assert [item["type"] for item in items] == ["message", "message"]
    assert texts(items, "assistant") == [stream.text] == [COUNTED]
    session = patient_stack.api.snapshot(session_id)
    assert (session["status"], session["runner_id"]) == ("idle", runner_id)
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, items)


def test_servers_that_are_away_for_longer_than_a_lease_fail_nothing(patient_stack: Stack) -> None:
    session_id, quiet = [patient_stack.api.create()["id"] for _ in range(2)]
    stream = patient_stack.stream(session_id, after=0)
    patient_stack.api.message(quiet, "Count to 2")
    patient_stack.api.message(session_id, f"Count to {5 * NUMBERS} slowly")
    patient_stack.api.wait_status(quiet, "idle", seconds=SECONDS)
    stream.wait_event("response.output_text.delta", count=5)

    for server in patient_stack.servers:
        kill(server)
    outlast_a_lease(patient_stack)
    for index in range(len(patient_stack.servers)):
        patient_stack.start_server(index)
    stream.wait_settled(seconds=2 * SECONDS)

    assert stream.text == texts(patient_stack.api.items(session_id), "assistant")[0]
    assert stream.text.split()[-1] == str(5 * NUMBERS)
    for one in (session_id, quiet):
        session = patient_stack.api.snapshot(one)
        assert (session["status"], session["last_task_error"]) == ("idle", None)
    assert_ordered(stream.frames)


def outlast_a_lease(stack: Stack) -> None:
    """Let every lease expire. Only time does that: no server runs that could tell."""
    ended = stack.servers[0].log_path.stat().st_mtime
    term = float(PATIENT_LEASE_SECONDS)
    clock = stack.directory / "clock"

    def is_over() -> bool:
        clock.touch()
        return clock.stat().st_mtime > ended + term + 1

    wait_for(is_over, seconds=SECONDS, what="every lease over", every=0.1)


@pytest.mark.parametrize("end", [stop, kill])
def test_a_question_waits_out_a_restart_and_is_answered_once(
    patient_stack: Stack, end: Callable[[Program], None]
) -> None:
    session_id = patient_stack.api.create()["id"]
    stream = patient_stack.stream(session_id, after=0)
    patient_stack.api.message(session_id, WORK)
    asked = question(patient_stack.api, session_id)

    for index, server in enumerate(patient_stack.servers):
        end(server)
        patient_stack.start_server(index)
    # The runner parks the call again as soon as it is back; that may be before or after the answer.
    assert question(patient_stack.api, session_id)["elicitation_id"] == asked["elicitation_id"]
    first = answer(patient_stack.api, session_id, asked, "accept")
    again = answer(patient_stack.api, session_id, asked, "decline")
    stream.wait_event("response.completed", seconds=2 * SECONDS)
    patient_stack.api.wait_status(session_id, "idle", seconds=SECONDS)

    assert (first["queued"], again["resolution"]["action"]) == (False, "accept")
    items = patient_stack.api.items(session_id)
    assert [item["output"] for item in of_type(items, "function_call_output")] == ["once\n"]
    assert texts(items, "user") == [WORK]
    assert patient_stack.api.snapshot(session_id)["pending_elicitations"] == []
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, items)


class TestTwoReplicas:
    """What only two processes can do to each other."""

    pytestmark = CLUSTER

    def test_a_replica_that_hangs_and_wakes_writes_nothing_twice(self, stack: Stack) -> None:
        other = stack.api_of(1)
        stack.move_host(0)
        session_id = other.create()["id"]
        stream = stack.stream(session_id, after=0, url=other.url)
        other.message(session_id, f"Count to {2 * NUMBERS} slowly")
        stream.wait_event("response.output_text.delta", count=5)

        stack.tunnels.route_to(None)
        stack.servers[0].signal(signal.SIGSTOP)
        other.wait_status(session_id, "failed", seconds=SECONDS)
        stack.servers[0].signal(signal.SIGCONT)
        other.wait_status(session_id, "idle", seconds=2 * SECONDS)
        stream.wait_settled(turns=2)

        items = other.items(session_id)
        assert "".join(texts(items, "assistant")) == stream.text
        assert stream.text.split() == [str(number) for number in range(1, 2 * NUMBERS + 1)]
        assert len(texts(items, "user")) == 1
        assert_ordered(stream.frames)
        assert_same_as_items(stream.frames, items)

    def test_two_verdicts_at_once_on_two_replicas_have_one_winner(self, stack: Stack) -> None:
        session_id = stack.api.create()["id"]
        stream = stack.stream(session_id, after=0)
        stack.api.message(session_id, WORK)
        asked = question(stack.api, session_id)
        apis = stack.api_of(0), stack.api_of(1)

        with ThreadPoolExecutor(2) as both:
            told = list(
                both.map(answer, apis, [session_id] * 2, [asked] * 2, ["accept", "decline"], timeout=SECONDS)
            )
        stream.wait_settled()

        [second] = [one for one in told if "resolution" in one]
        won = second["resolution"]["action"]
        assert told[0 if won == "accept" else 1] == {"queued": False}
        outputs = [item["output"] for item in of_type(stack.api.items(session_id), "function_call_output")]
        assert ("once\n" in outputs) == (won == "accept")
        assert_ordered(stream.frames)

"""A supervisor and its sub-agents in real processes: results come back once, whatever is killed meanwhile."""

import os
import signal

from tests.e2e import families
from tests.e2e.api import texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack


def test_two_sub_agents_work_at_once_and_their_parent_is_told_of_each(stack: Stack) -> None:
    session_id = families.supervisor(stack)
    stream = stack.stream(session_id, after=0)

    stack.api.message(session_id, "Ask sub-agents alpha and beta at once: Run the shell command: echo done")
    given = families.wait_results(stack, session_id, 2)

    assert {(one["agent"], one["status"]) for one in given} == {("alpha", "completed"), ("beta", "completed")}
    assert all("done" in one["result"] for one in given)
    assert len(given) == len(families.wakes(stack, session_id)) == 2
    statuses = [frame.body["status"] for frame in stream.frames if frame.event == "session.status"]
    assert statuses[-1] == "idle"
    created = [frame.body for frame in stream.frames if frame.event == "session.created"]
    assert {one["child_session_id"] for one in created} == {
        row["id"] for row in families.children(stack, session_id).values()
    }
    assert "session.child_session.updated" in stream.types()
    assert sorted(families.wakes(stack, session_id)) == [
        f"[System: sub-agent {agent}/Run the shell command: echo done finished (completed) - 1 result "
        "waiting in inbox. Call sys_read_inbox to collect.]"
        for agent in ("alpha", "beta")
    ]


def test_the_parent_waits_while_its_sub_agent_works(stack: Stack) -> None:
    session_id = families.supervisor(stack)

    stack.api.message(session_id, "Ask the sub-agent beta: Think for 4 seconds")
    stack.api.wait_status(session_id, "waiting", seconds=30)
    [given] = families.wait_results(stack, session_id, 1)

    assert "I thought for 4 seconds." in given["result"]
    assert stack.api.snapshot(session_id)["status"] == "idle"


def test_a_task_three_levels_down_comes_up_again(stack: Stack) -> None:
    session_id = families.supervisor(stack)
    task = "Ask the sub-agent middle: Ask the sub-agent leaf: Run the shell command: echo deep"

    stack.api.message(session_id, f"Ask the sub-agent alpha: {task}")
    [given] = families.wait_results(stack, session_id, 1)

    assert given["status"] == "completed"
    assert "deep" in given["result"]
    alpha = families.wait_child(stack, session_id, "alpha", busy=False)
    middle = families.wait_child(stack, alpha, "middle", busy=False)
    leaf = families.wait_child(stack, middle, "leaf", busy=False)
    assert len(families.returns(stack, alpha)) == len(families.returns(stack, middle)) == 1
    assert families.returns(stack, leaf) == []


def test_the_same_title_goes_on_with_the_same_conversation(stack: Stack) -> None:
    session_id = families.supervisor(stack)
    call = (
        'Call sys_session_send with {"agent": "beta", "title": "t", "args": "Run the shell command: echo %s"}'
    )

    stack.api.message(session_id, call % "one")
    families.wait_results(stack, session_id, 1)
    stack.api.message(session_id, call % "two")
    given = families.wait_results(stack, session_id, 2)

    assert [("one" in one["result"], "two" in one["result"]) for one in given] == [
        (True, False),
        (False, True),
    ]
    assert len({one["conversation_id"] for one in given}) == 1


def test_a_sub_agent_that_fails_wakes_its_parent(stack: Stack) -> None:
    session_id = families.supervisor(stack)

    stack.api.message(session_id, "Ask the sub-agent beta: Fail with too hard")
    [given] = families.wait_results(stack, session_id, 1)

    assert given["status"] == "failed"
    assert "too hard" in given["result"]


def test_an_interrupt_reaches_everything_below_and_wakes_nobody(stack: Stack) -> None:
    session_id = families.supervisor(stack)
    stack.api.message(session_id, "Ask the sub-agent alpha: Ask the sub-agent middle: Think for 300 seconds")
    alpha = families.wait_child(stack, session_id, "alpha")
    middle = families.wait_child(stack, alpha, "middle")
    stack.api.wait_status(session_id, "waiting", seconds=30)

    stack.api.interrupt(session_id)

    for one in (session_id, alpha, middle):
        stack.api.wait_status(one, "idle", seconds=30)
    assert families.wakes(stack, session_id) == families.wakes(stack, alpha) == []
    assert [item["resource"]["status"] for item in families.returns(stack, session_id)] == ["cancelled"]
    stack.api.message(session_id, "Read the inbox")
    [given] = families.wait_results(stack, session_id, 1)
    assert given["status"] == "cancelled"


def test_a_sub_agent_that_somebody_interrupts_wakes_its_parent(stack: Stack) -> None:
    session_id = families.supervisor(stack)
    stack.api.message(session_id, "Ask the sub-agent beta: Think for 300 seconds")
    beta = families.wait_child(stack, session_id, "beta")
    stack.api.wait_status(session_id, "waiting", seconds=30)

    stack.api.interrupt(beta)
    [given] = families.wait_results(stack, session_id, 1)

    assert given["status"] == "cancelled"
    assert len(families.wakes(stack, session_id)) == 1


def test_a_call_in_the_background_comes_back_to_the_inbox(stack: Stack) -> None:
    session_id = families.supervisor(stack)

    stack.api.message(
        session_id,
        'Call sys_call_async with {"tool": "sys_os_shell", "args": "{\\"command\\": \\"echo behind\\"}"}',
    )
    [given] = families.wait_results(stack, session_id, 1)

    assert given["tool"] == "sys_os_shell"
    assert "behind" in given["result"]


def test_a_timer_starts_a_turn(stack: Stack) -> None:
    session_id = families.supervisor(stack)

    stack.api.message(session_id, "Set a timer of 1 second")

    wait_for(
        lambda: any("A timer fired." in text for text in texts(stack.api.items(session_id), "assistant")),
        seconds=30,
        what="the timer's turn",
    )


def test_a_killed_runner_loses_no_result_and_the_parent_finishes(own_stack: Stack) -> None:
    session_id = families.supervisor(own_stack)
    own_stack.api.message(session_id, "Ask the sub-agent beta: Run the shell command: echo early")
    families.wait_results(own_stack, session_id, 1)
    own_stack.api.message(
        session_id, "Ask the sub-agent alpha: Ask the sub-agent middle: Think for 300 seconds"
    )
    alpha = families.wait_child(own_stack, session_id, "alpha")
    families.wait_child(own_stack, alpha, "middle")
    own_stack.api.wait_status(session_id, "waiting", seconds=30)
    own_stack.api.wait_status(alpha, "waiting", seconds=30)
    [runner] = own_stack.runner_pids()

    os.kill(runner, signal.SIGKILL)
    given = families.wait_results(own_stack, session_id, 2)

    assert [(one["agent"], one["status"]) for one in given] == [("beta", "completed"), ("alpha", "completed")]
    assert len({one["id"] for one in given}) == len(families.wakes(own_stack, session_id)) == 2
    [below] = families.results(own_stack, alpha)
    assert (below["agent"], below["status"]) == ("middle", "failed")
    own_stack.api.message(session_id, "Ask the sub-agent beta: Run the shell command: echo early")
    assert len(families.wait_results(own_stack, session_id, 3)) == 3


def test_a_killed_server_loses_no_result(own_stack: Stack) -> None:
    session_id = families.supervisor(own_stack)
    own_stack.api.message(session_id, "Ask sub-agents alpha and beta at once: Think for 3 seconds")
    own_stack.api.wait_status(session_id, "waiting", seconds=30)

    own_stack.servers[0].kill()
    own_stack.start_server(0)
    given = families.wait_results(own_stack, session_id, 2)

    assert sorted((one["agent"], one["status"]) for one in given) == [
        ("alpha", "completed"),
        ("beta", "completed"),
    ]
    assert len(families.wakes(own_stack, session_id)) == 2

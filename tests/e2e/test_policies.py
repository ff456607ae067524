"""A real runner's tool call at the gate: denied, asked about, approved after restarts, executed once."""

import json
from typing import Any

from tests.e2e.api import of_type, texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

ASK = {"name": "ask", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
DENY = {
    "name": "no pushes",
    "type": "python",
    "handler": "omnigent.policies.builtins.orchestration.blast_radius",
    "factory_params": {"risky_action": "DENY"},
}
COMMAND = "Run the shell command: echo once >> made.txt; cat made.txt"


def question(stack: Stack, session_id: str) -> dict[str, Any]:
    """The one question that waits."""
    return wait_for(
        lambda: (stack.api.snapshot(session_id)["pending_elicitations"] or [None])[0],
        seconds=20,
        what="a question",
    )


def answer(stack: Stack, session_id: str, asked: dict[str, Any], action: str) -> Any:
    path = f"/v1/sessions/{session_id}/elicitations/{asked['elicitation_id']}/resolve"
    reply = stack.api.http.post(path, json={"action": action})
    assert reply.status_code == 202, reply.text
    return reply.json()


def outputs(stack: Stack, session_id: str) -> list[str]:
    return [item["output"] for item in of_type(stack.api.items(session_id), "function_call_output")]


def test_a_call_that_a_policy_denies_does_not_happen_and_the_turn_goes_on(stack: Stack) -> None:
    session_id = stack.api.create(policies=[DENY])["id"]
    stream = stack.stream(session_id, after=0)

    stack.api.message(session_id, "Run the shell command: git push origin main")
    stream.wait_settled()

    [output] = outputs(stack, session_id)
    assert "Denied by policy" in output
    assert "Denied by policy" in texts(stack.api.items(session_id), "assistant")[-1]
    denied = [json.loads(frame.data) for frame in stream.frames if frame.event == "response.policy_denied"]
    assert [event["phase"] for event in denied] == ["tool_call"]


def test_a_call_that_was_asked_about_is_made_once_after_the_server_was_killed(own_stack: Stack) -> None:
    session_id = own_stack.api.create(policies=[ASK])["id"]
    own_stack.api.message(session_id, COMMAND)
    asked = question(own_stack, session_id)

    own_stack.servers[0].kill()
    own_stack.start_server(0)
    told = answer(own_stack, session_id, asked, "accept")
    again = answer(own_stack, session_id, asked, "decline")
    own_stack.api.wait_status(session_id, "idle", seconds=30)

    assert told == {"queued": False}
    assert again["resolution"]["action"] == "accept"
    assert outputs(own_stack, session_id) == ["once\n"]
    decided = own_stack.api.get("/v1/policy-decisions", session_id=session_id, phase="tool_call")["data"]
    assert [row["verdict"] for row in decided] == ["allow", "ask"]


def test_a_call_that_was_approved_after_its_runner_died_is_made_once(own_stack: Stack) -> None:
    session_id = own_stack.api.create(policies=[ASK])["id"]
    own_stack.api.message(session_id, COMMAND)
    asked = question(own_stack, session_id)

    own_stack.kill_host()
    own_stack.wait_no_runners(seconds=10)
    own_stack.api.wait_status(session_id, "failed", seconds=20)
    own_stack.host.start()
    own_stack.wait_host()
    assert question(own_stack, session_id)["elicitation_id"] == asked["elicitation_id"]
    answer(own_stack, session_id, asked, "accept")
    wait_for(lambda: outputs(own_stack, session_id), seconds=40, what="the call's output")
    own_stack.api.wait_status(session_id, "idle", seconds=40)

    assert outputs(own_stack, session_id) == ["once\n"]


def test_a_declined_call_ends_the_turn(stack: Stack) -> None:
    session_id = stack.api.create(policies=[ASK])["id"]
    stream = stack.stream(session_id, after=0)
    stack.api.message(session_id, COMMAND)

    answer(stack, session_id, question(stack, session_id), "decline")
    stream.wait_settled()

    assert "once" not in "".join(outputs(stack, session_id))
    assert stack.api.snapshot(session_id)["status"] == "idle"

"""Codex in its terminal, in real processes, against a scripted server."""

import os

import pytest

from omnigent.runner.harnesses.programs import located
from tests.e2e.api import message, of_type, texts
from tests.e2e.program import processes_at_home, runs, wait_for
from tests.e2e.stack import Stack
from tests.e2e.test_models import model_stack, model_url

__all__ = ["model_stack", "model_url"]  # fixtures

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located("codex", os.environ) is None, reason="Codex is not installed"),
    pytest.mark.skipif(located("tmux", os.environ) is None, reason="tmux is not installed"),
    pytest.mark.timeout(240),
]
ASK = {"name": "ask", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
SECONDS = 60


def test_a_conversation_with_a_tool_that_a_person_approves(model_stack: Stack) -> None:
    # The directory may be the database's user's, which the root inside Codex's sandbox could not pass.
    model_stack.home.parent.chmod(0o711)
    api = model_stack.api
    session = api.create(agent_id=api.agent_id("codex-native"))
    policy = api.http.post(f"/v1/sessions/{session['id']}/policies", json=ASK)
    assert policy.is_success, policy.text
    stream = model_stack.stream(session["id"])

    api.message(session["id"], "run: echo from-codex")
    [question] = wait_for(
        lambda: api.snapshot(session["id"])["pending_elicitations"], seconds=SECONDS, what="a question"
    )
    assert not of_type(api.items(session["id"]), "function_call_output")
    approval = {"elicitation_id": question["elicitation_id"], "action": "accept"}
    assert api.post(session["id"], {"type": "approval", "data": approval}).is_success
    wait_for(lambda: stream.types().count("response.completed") == 1, seconds=SECONDS, what="the turn")
    again = api.post(session["id"], message("and again")).json()
    wait_for(lambda: stream.types().count("response.completed") == 2, seconds=SECONDS, what="the second turn")

    items = api.items(session["id"])
    [call] = of_type(items, "function_call")
    [output] = of_type(items, "function_call_output")
    assert (call["name"], call["call_id"]) == ("exec", output["call_id"])
    assert "from-codex" in output["output"]
    assert texts(items, "user") == ["run: echo from-codex", "and again"]
    assert "and again" in texts(items, "assistant")[-1]
    consumed = {data["item_id"]: data for data in stream.each("session.input.consumed", "data")}
    assert consumed[again["item_id"]]["cleared_pending_id"] == again["pending_id"]
    snapshot = api.snapshot(session["id"])
    assert snapshot["pending_inputs"] == []
    assert (snapshot["status"], snapshot["last_task_error"]) == ("idle", None)
    assert sum(used["output_tokens"] for used in snapshot["usage_by_model"].values()) > 0
    numbers = [frame.id for frame in stream.frames if frame.id is not None]
    assert numbers == sorted(set(numbers))


def test_the_conversation_survives_its_runner(model_stack: Stack) -> None:
    api = model_stack.api
    session = api.create(agent_id=api.agent_id("codex-native"))
    stream = model_stack.stream(session["id"])
    api.message(session["id"], "first")
    wait_for(lambda: stream.types().count("response.completed") == 1, seconds=SECONDS, what="the turn")
    before = texts(api.items(session["id"]), "assistant")

    for process in processes_at_home(model_stack.home):
        if runs(process, "omnigent.runner"):
            process.kill()
    wait_for(
        lambda: not api.snapshot(session["id"])["runner_online"], seconds=SECONDS, what="the runner's end"
    )
    api.message(session["id"], "second")
    wait_for(lambda: stream.types().count("response.completed") == 2, seconds=SECONDS, what="the second turn")

    items = api.items(session["id"])
    assert texts(items, "user") == ["first", "second"]
    said = texts(items, "assistant")
    assert said[: len(before)] == before
    assert "second" in said[-1]
    assert len(said) == len(before) + 1

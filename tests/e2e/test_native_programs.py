"""Vendors' programs in their terminals, in real processes, against a scripted server."""

import os

import pytest

from omnigent.runner.harnesses.programs import located
from tests.e2e.api import message, of_type, texts
from tests.e2e.program import processes_at_home, runs, wait_for
from tests.e2e.stack import Stack
from tests.e2e.test_models import model_stack, model_url

__all__ = ["model_stack", "model_url"]  # fixtures


def needs(program: str) -> pytest.MarkDecorator:
    """Without the program there is nothing to test."""
    return pytest.mark.skipif(located(program, os.environ) is None, reason=f"{program} is not installed")


pytestmark = [pytest.mark.engines, needs("tmux"), pytest.mark.timeout(240)]
HARNESSES = pytest.mark.parametrize(
    "harness",
    [
        pytest.param("claude-native", marks=needs("claude")),
        pytest.param("codex-native", marks=needs("codex")),
    ],
)
SHELL = {"claude-native": "Bash", "codex-native": "exec"}
ASK = {"name": "ask", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
SECONDS = 60


@pytest.fixture
def passable(model_stack: Stack) -> Stack:
    """The installation. Its directory may be the database's user's, and then the root inside Codex's sandbox
    could not pass it.
    """
    model_stack.home.parent.chmod(0o711)
    return model_stack


@HARNESSES
def test_a_conversation_with_a_tool_that_a_person_approves(passable: Stack, harness: str) -> None:
    api = passable.api
    session = api.create(agent_id=api.agent_id(harness))
    policy = api.http.post(f"/v1/sessions/{session['id']}/policies", json=ASK)
    assert policy.is_success, policy.text
    stream = passable.stream(session["id"])

    api.message(session["id"], "run: echo printed")
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
    assert (call["name"], call["call_id"]) == (SHELL[harness], output["call_id"])
    assert "printed" in output["output"]
    assert texts(items, "user") == ["run: echo printed", "and again"]
    assert "and again" in texts(items, "assistant")[-1]
    consumed = {data["item_id"]: data for data in stream.each("session.input.consumed", "data")}
    assert consumed[again["item_id"]]["cleared_pending_id"] == again["pending_id"]
    snapshot = api.snapshot(session["id"])
    assert snapshot["pending_inputs"] == []
    assert (snapshot["status"], snapshot["last_task_error"]) == ("idle", None)
    assert sum(used["output_tokens"] for used in snapshot["usage_by_model"].values()) > 0
    numbers = [frame.id for frame in stream.frames if frame.id is not None]
    assert numbers == sorted(set(numbers))


@HARNESSES
def test_the_conversation_survives_its_runner(passable: Stack, harness: str) -> None:
    api = passable.api
    session = api.create(agent_id=api.agent_id(harness))
    stream = passable.stream(session["id"])
    api.message(session["id"], "first")
    wait_for(lambda: stream.types().count("response.completed") == 1, seconds=SECONDS, what="the turn")
    before = texts(api.items(session["id"]), "assistant")

    for process in processes_at_home(passable.home):
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

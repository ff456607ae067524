"""The built-in agents of real models, against a scripted server that speaks the vendors' protocols."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered
from tests.e2e.program import Program, python, wait_for
from tests.e2e.stack import Flavour, Stack, base_environ, running_stack
from tests.services.processes import private_directory

AGENTS = ("openai-responses", "openai-chat", "anthropic")


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    """The address of a model server that answers "run: COMMAND" with a call of the shell tool."""
    with private_directory("model") as directory:
        command = python("-m", "tests.model_server", "--port", "0")
        server = Program("model", command, environ=base_environ(directory, {}), directory=directory)
        server.start()
        try:
            yield wait_for(
                lambda: next((line for line in server.log().splitlines() if line.startswith("http")), ""),
                seconds=20,
                what="the model server's address",
            )
        finally:
            server.stop()


@pytest.fixture(scope="module")
def model_stack(flavour: Flavour, model_url: str) -> Iterator[Stack]:
    """An installation whose owner has keys."""
    keys = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_BASE_URL": model_url,
    }
    with private_directory("e2e") as directory:
        keyed = dataclasses.replace(flavour, environ={**flavour.environ, **keys})
        with running_stack(keyed, Path(directory)) as stack:
            yield stack


@pytest.mark.parametrize("agent", AGENTS)
def test_a_model_calls_a_tool_and_answers_with_its_output(model_stack: Stack, agent: str) -> None:
    session = model_stack.api.create(agent_id=model_stack.api.agent_id(agent))
    stream = model_stack.stream(session["id"])

    model_stack.api.message(session["id"], "run: echo from-the-model")
    stream.wait_settled()

    items = model_stack.api.items(session["id"])
    [call] = of_type(items, "function_call")
    [output] = of_type(items, "function_call_output")
    assert (call["name"], call["call_id"]) == ("sys_os_shell", output["call_id"])
    assert "from-the-model" in output["output"]
    assert "from-the-model" in texts(items, "assistant")[-1]
    assert stream.types().count("response.completed") == 1
    snapshot = model_stack.api.snapshot(session["id"])
    assert (snapshot["status"], snapshot["last_task_error"]) == ("idle", None)
    assert sum(used["output_tokens"] for used in snapshot["usage_by_model"].values()) > 0
    assert_ordered(stream.frames)


@pytest.mark.parametrize("agent", AGENTS)
def test_the_next_turn_has_the_conversation(model_stack: Stack, agent: str) -> None:
    session = model_stack.api.create(agent_id=model_stack.api.agent_id(agent))
    stream = model_stack.stream(session["id"])
    model_stack.api.message(session["id"], "run: echo first")
    stream.wait_settled()

    model_stack.api.message(session["id"], "and again")
    wait_for(lambda: stream.types().count("response.completed") == 2, seconds=30, what="the second turn")

    items = model_stack.api.items(session["id"])
    assert [item["type"] for item in items][-2:] == ["message", "message"]
    assert model_stack.api.snapshot(session["id"])["status"] == "idle"

"""The built-in agent on OpenAI's Agents SDK, in real processes, against a scripted server."""

import pytest

pytest.importorskip("agents", reason="requirements-harness-openai-agents.txt is not installed")

from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack
from tests.e2e.test_models import model_stack, model_url

__all__ = ["model_stack", "model_url"]  # fixtures


def test_turns_with_a_tool_and_after_it(model_stack: Stack) -> None:
    session = model_stack.api.create(agent_id=model_stack.api.agent_id("agents_sdk"))
    stream = model_stack.stream(session["id"])

    model_stack.api.message(session["id"], "run: echo from-the-engine")
    stream.wait_settled()
    model_stack.api.message(session["id"], "and again")
    wait_for(lambda: stream.types().count("response.completed") == 2, seconds=30, what="the second turn")

    items = model_stack.api.items(session["id"])
    [call] = of_type(items, "function_call")
    [output] = of_type(items, "function_call_output")
    assert (call["name"], call["call_id"]) == ("sys_os_shell", output["call_id"])
    assert "from-the-engine" in output["output"]
    said = texts(items, "assistant")
    assert "from-the-engine" in " ".join(said[:-1])
    assert said[-1] == "You said: and again"
    snapshot = model_stack.api.snapshot(session["id"])
    assert snapshot["last_task_error"] is None
    assert sum(used["output_tokens"] for used in snapshot["usage_by_model"].values()) > 0
    assert_ordered(stream.frames)

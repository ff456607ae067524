"""Sub-agents that are called like any other tool."""

from pathlib import Path

import pytest

from omnigent.runner.tools.callable_agents import CallAgent
from omnigent.spec.types import AgentTool
from tests.runner.sessions_server import SPEC, Json, SessionsServer
from tests.runner.tool_rig import tool_context


async def test_a_sub_agent_called_as_a_tool_answers_with_its_last_words(tmp_path: Path) -> None:
    server = SessionsServer()
    server.items = [
        {
            "id": f"item_{number}",
            "type": "message",
            "role": role,
            "content": [{"type": "output_text", "text": text}],
        }
        for number, (role, text) in enumerate([("user", "go"), ("assistant", "first"), ("assistant", "last")])
    ]
    context = tool_context(tmp_path, server, spec=SPEC)

    assert await CallAgent(SPEC.agent_tools[0]).run({"input": "go"}, context) == "last"
    [event] = server.to("/conv_child/events")
    assert "dispatch" not in event["data"]


def texts_of(body: Json) -> list[str]:
    """What a new session is told was said before."""
    return [item["data"]["content"][0]["text"] for item in body.get("initial_items", [])]


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"pass_history": True}, ["go", "done"], id="own"),
        pytest.param(
            {"pass_histories": ("scout", "absent")},
            ["[System: what was said with scout]", "go", "done"],
            id="of-another",
        ),
        pytest.param(
            {"pass_history": True, "pass_histories": ("scout",)},
            [
                "[System: what was said with scout]",
                *("go", "done"),
                "[System: what was said in the session that calls you]",
                *("go", "done"),
            ],
            id="both",
        ),
    ],
)
async def test_a_sub_agent_called_as_a_tool_is_told_what_was_said_before(
    tmp_path: Path, declared: Json, given: list[str]
) -> None:
    server = SessionsServer()
    server.children = [{"id": "conv_scout", "tool": "scout", "session_name": "one", "busy": False}]
    said = [
        ("user", "input_text", "go"),
        ("user", "input_image", ""),
        ("assistant", "output_text", "done"),
    ]
    server.items = [
        {"id": f"item_{n}", "type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        for n, (role, kind, text) in enumerate(said)
    ]
    tool = AgentTool(name="helper", agent="helper", **declared)

    await CallAgent(tool).run({"input": "go"}, tool_context(tmp_path, server, spec=SPEC))

    [body] = server.to("/sessions")
    assert texts_of(body) == given

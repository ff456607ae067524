"""An uploaded agent's own tools on a real runner: an MCP server and a function, through the gate."""

import json
import sys
from typing import Any

import httpx

from omnigent.spec import bundle
from tests.e2e.api import of_type
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack
from tests.runner.mcp_rig import SCRIPTS

SECONDS = 40.0
SECRET = "hunter2-hunter2"
NO_ADDING = {
    "name": "no adding",
    "type": "python",
    "handler": "omnigent.policies.builtins.cel.cel_policy",
    "factory_params": {
        "expression": "event.type == 'tool_call' && event.target == 't__add' ? {'result': 'DENY'} : {}",
        "reason": "nothing is added here",
    },
}
FUNCTION = """
def shout(text: str, times: int = 1) -> str:
    "Say it loudly."
    return text.upper() * times
"""
CLIENT = {"type": "object", "properties": {"city": {"type": "string"}}}


def agent() -> bytes:
    server = {
        "type": "mcp",
        "command": sys.executable,
        "args": [str(SCRIPTS / "tools.py"), "stdio"],
        "env": {"SECRET": SECRET},
    }
    document = {
        "spec_version": 1,
        "name": "brings-tools",
        "prompt": "p",
        "executor": {"config": {"harness": "scripted"}},
        "tools": {
            "t": server,
            "weather": {"type": "function", "runtime": "client", "parameters": CLIENT},
        },
    }
    return bundle.pack(
        {"config.yaml": json.dumps(document).encode(), "tools/python/mine.py": FUNCTION.encode()}
    )


def create(stack: Stack, **metadata: Any) -> str:
    parts = {
        "metadata": (None, json.dumps({"host_id": "auto", **metadata}), "application/json"),
        "bundle": ("agent.tar.gz", agent(), "application/gzip"),
    }
    answer = stack.api.http.post("/v1/sessions", files=parts)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


def say(stack: Stack, session_id: str, *lines: str) -> None:
    stack.api.message(session_id, "\n".join(lines))


def outputs(stack: Stack, session_id: str) -> list[str]:
    return [item["output"] for item in of_type(stack.api.items(session_id), "function_call_output")]


def test_tools_that_an_agent_brings_are_called_and_a_policy_denies_one(stack: Stack) -> None:
    session_id = create(stack, policies=[NO_ADDING])

    say(
        stack,
        session_id,
        'Call t__echo with {"text": "hi"}',
        'Call t__add with {"left": 1, "right": 2}',
        'Call shout with {"text": "hey", "times": 2}',
        "Call t__fail with {}",
    )
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)

    echoed, added, shouted, failed = outputs(stack, session_id)
    assert (echoed, shouted) == ("hi", "HEYHEY")
    assert added == "Denied by policy: nothing is added here"
    assert failed.startswith("Error: Error executing tool fail")
    shown = json.dumps([stack.api.snapshot(session_id), stack.api.items(session_id)])
    told = json.dumps(stack.api.get(f"/v1/sessions/{session_id}/agent"))
    assert SECRET not in shown + told + stack.logs()


def test_an_mcp_server_asks_a_person_through_the_session(stack: Stack) -> None:
    session_id = create(stack)
    say(stack, session_id, "Call t__ask with {}")

    asked = wait_for(
        lambda: (stack.api.snapshot(session_id)["pending_elicitations"] or [None])[0],
        seconds=SECONDS,
        what="a question",
    )
    reply = stack.api.http.post(
        f"/v1/sessions/{session_id}/elicitations/{asked['elicitation_id']}/resolve",
        json={"action": "accept", "content": {"colour": "green"}},
    )
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)

    assert asked["params"]["mode"] == "form"
    assert asked["params"]["message"] == "Which colour?"
    assert reply.status_code == httpx.codes.ACCEPTED
    assert outputs(stack, session_id) == ["accept green"]
    assert stack.api.snapshot(session_id)["pending_elicitations"] == []


def test_a_tool_of_the_client_is_answered_by_the_client(stack: Stack) -> None:
    session_id = create(stack)
    stream = stack.stream(session_id, after=0)
    say(stack, session_id, 'Call weather with {"city": "Oslo"}')

    def waiting() -> str | None:
        for frame in stream.frames:
            item = json.loads(frame.data).get("item") or {}
            if (item.get("type"), item.get("status")) == ("function_call", "action_required"):
                return str(item["call_id"])
        return None

    call_id = wait_for(waiting, seconds=SECONDS, what="a call for the client")
    event = {"type": "function_call_output", "data": {"call_id": call_id, "output": "rain"}}
    assert stack.api.post(session_id, event).status_code == httpx.codes.ACCEPTED
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)

    assert outputs(stack, session_id) == ["rain"]

"""An agent that has sub-agents, may start sessions and share its own; and calls of its tools, one by one."""

import json
import uuid
from typing import Any

import httpx

from omnigent.spec import bundle
from tests.e2e.api import of_type
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

SECONDS = 60.0
LEAD = """\
name: lead
description: Leads others.
prompt: You lead.
executor: {harness: scripted}
os_env: {type: caller_process, sandbox: {type: none}}
spawn: true
agent_session_sharing: public
tools:
  agents: [helper]
  aware: {type: agent, description: Knows., prompt: p, executor: {harness: scripted}, pass_history: true}
  only: {type: agent, description: One at a time., prompt: p, executor: {harness: scripted}, max_sessions: 1}
"""
HELPER = "name: helper\nprompt: You help.\nexecutor: {harness: scripted}\nos_env: {type: caller_process}\n"


def session(stack: Stack) -> str:
    """A session whose agent has all of these tools."""
    files = {"config.yaml": LEAD.encode(), "agents/helper/config.yaml": HELPER.encode()}
    answer = stack.api.http.post(
        "/v1/sessions",
        files={
            "metadata": (None, json.dumps({"host_id": "auto"}), "application/json"),
            "bundle": ("agent.tar.gz", bundle.pack(files), "application/gzip"),
        },
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["session_id"])


def outputs(stack: Stack, session_id: str, tool: str) -> list[str]:
    """What the calls of a tool have answered so far."""
    items = stack.api.items(session_id)
    calls = {item["call_id"] for item in of_type(items, "function_call") if item["name"] == tool}
    return [one["output"] for one in of_type(items, "function_call_output") if one["call_id"] in calls]


def call(stack: Stack, session_id: str, tool: str, /, **arguments: Any) -> str:
    """Have the agent call a tool; what it answered."""
    before = len(outputs(stack, session_id, tool))
    stack.api.message(session_id, f"Call {tool} with {json.dumps(arguments)}")
    found = wait_for(
        lambda: outputs(stack, session_id, tool)[before:], seconds=SECONDS, what=f"{tool} answered", every=0.2
    )
    return found[0]


def told(stack: Stack, session_id: str, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """The same of an answer that is JSON."""
    output = call(stack, session_id, tool, **arguments)
    assert output.startswith("{"), output
    answer: dict[str, Any] = json.loads(output)
    return answer


def question(stack: Stack, session_id: str) -> dict[str, Any]:
    """The one question that waits."""
    return wait_for(
        lambda: (stack.api.snapshot(session_id)["pending_elicitations"] or [None])[0],
        seconds=SECONDS,
        what="a question",
        every=0.2,
    )


def decline(stack: Stack, asked: dict[str, Any], session_id: str) -> None:
    """Answer a question of a session with no."""
    path = f"/v1/sessions/{session_id}/elicitations/{asked['elicitation_id']}/resolve"
    reply = stack.api.http.post(path, json={"action": "decline"})
    assert reply.status_code == httpx.codes.ACCEPTED, reply.text

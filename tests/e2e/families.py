"""A supervisor whose sub-agents are scripts, and what its conversation says of them."""

import json
import uuid
from typing import Any

from omnigent.spec import bundle
from tests.e2e.api import of_type, texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

AGENT = """\
name: {name}
prompt: You are {name}.
executor: {{harness: scripted}}
os_env: {{type: caller_process}}
timers: true
tools: {{agents: [{below}]}}
"""
SETTLED_SECONDS = 60


def bundled() -> bytes:
    """supervisor > alpha > middle > leaf, and supervisor > beta."""
    places = {
        "config.yaml": ("supervisor", "alpha, beta"),
        "agents/alpha/config.yaml": ("alpha", "middle"),
        "agents/alpha/agents/middle/config.yaml": ("middle", "leaf"),
        "agents/alpha/agents/middle/agents/leaf/config.yaml": ("leaf", ""),
        "agents/beta/config.yaml": ("beta", ""),
    }
    return bundle.pack(
        {path: AGENT.format(name=name, below=below).encode() for path, (name, below) in places.items()}
    )


def supervisor(stack: Stack) -> str:
    """A session of the supervisor."""
    return opened(stack, bundled())


def opened(stack: Stack, archive: bytes) -> str:
    """A session with an agent of its own."""
    answer = stack.api.http.post(
        "/v1/sessions",
        files={
            "metadata": (None, json.dumps({"host_id": "auto"}), "application/json"),
            "bundle": ("agent.tar.gz", archive, "application/gzip"),
        },
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["session_id"])


def children(stack: Stack, session_id: str) -> dict[str, dict[str, Any]]:
    """The rows of a session's sub-agents by their agent."""
    rows = stack.api.get(f"/v1/sessions/{session_id}/child_sessions", limit=100)["data"]
    return {row["tool"]: row for row in rows}


def wait_child(stack: Stack, session_id: str, agent: str, *, busy: bool = True) -> str:
    """The id of a session's sub-agent, once it is at work or at rest."""

    def found() -> str | None:
        row = children(stack, session_id).get(agent)
        return str(row["id"]) if row is not None and row["busy"] is busy else None

    child_id = wait_for(found, seconds=SETTLED_SECONDS, what=f"{agent} {'busy' if busy else 'at rest'}")
    assert child_id is not None
    return child_id


def wait_results(stack: Stack, session_id: str, count: int) -> list[dict[str, Any]]:
    """What the model was given from its inbox, once that are so many results and the session rests."""

    def found() -> list[dict[str, Any]] | None:
        given = results(stack, session_id)
        status = stack.api.snapshot(session_id, include_items="false")["status"]
        return given if len(given) >= count and status == "idle" else None

    what = f"{count} results in the inbox"
    given = wait_for(found, seconds=SETTLED_SECONDS, what=what, every=0.2)
    assert given is not None
    return given


def results(stack: Stack, session_id: str) -> list[dict[str, Any]]:
    """What the model was given from its inbox so far, in order."""
    items = stack.api.items(session_id)
    reads = {item["call_id"] for item in of_type(items, "function_call") if item["name"] == "sys_read_inbox"}
    outputs = [item for item in of_type(items, "function_call_output") if item["call_id"] in reads]
    given = [json.loads(item["output"]) for item in outputs if item["output"].startswith("{")]
    return [result for answer in given for result in answer["results"]]


def returns(stack: Stack, session_id: str) -> list[dict[str, Any]]:
    """What is stored of the ends of a session's sub-agents."""
    events = of_type(stack.api.items(session_id), "resource_event")
    return [item for item in events if item["event_type"] == "session.subagent.returned"]


def wakes(stack: Stack, session_id: str) -> list[str]:
    """The messages that told the session of them."""
    said = texts(stack.api.items(session_id), "user")
    return [text for text in said if text.startswith("[System: sub-agent ")]

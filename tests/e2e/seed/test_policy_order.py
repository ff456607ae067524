"""Policy evaluation order, sentence by sentence of the published documentation."""

import json
from typing import Any

import httpx
import pytest

from tests.e2e.api import Api, message
from tests.e2e.program import wait_for
from tests.e2e.seed.rules import (
    ASK_ON_OS,
    CEL,
    LONG_SLEEP,
    House,
    always,
    answered,
    attach,
    call,
    evaluate,
    pending,
    result,
    shell,
    unique,
)
from tests.e2e.seed.test_create_session import bundle
from tests.e2e.stack import Stack

STRICT = """spec_version: 1
name: strict
prompt: P
executor: {config: {harness: scripted}}
policies:
  of_the_agent:
    type: function
    on: [tool_call]
    handler: omnigent.policies.builtins.cel.cel_policy
    factory_params:
      expression: 'event.type == "tool_call" ? {"result": "deny", "reason": "says the agent"} : {}'
"""


def strict_session(api: Api) -> str:
    """A session whose agent's YAML denies every tool call."""
    files = {"bundle": ("agent.tar.gz", bundle(STRICT.encode()), "application/gzip")}
    answer = api.http.post("/v1/sessions", data={"metadata": json.dumps({})}, files=files)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


def test_session_policies_come_first_then_the_agents_then_the_servers(api: Api, house: House) -> None:
    session_id = strict_session(api)
    house.add(CEL, factory_params=always("deny", "says the server"))
    own = attach(api, session_id, CEL, factory_params=always("deny", "says the session"))

    assert evaluate(api, session_id, shell("ls"))["reason"] == "says the session"
    api.http.delete(f"/v1/sessions/{session_id}/policies/{own['id']}")
    assert evaluate(api, session_id, shell("ls"))["reason"] == "says the agent"
    plain = api.create(host_id=None)["id"]
    assert evaluate(api, plain, shell("ls"))["reason"] == "says the server"


def test_the_chain_can_be_read_in_this_order(api: Api, house: House) -> None:
    session_id = strict_session(api)
    everywhere = house.add(LONG_SLEEP)
    own = attach(api, session_id)

    rows = api.get(f"/v1/sessions/{session_id}/policies/effective")["data"]

    names = [(row["level"], row["name"]) for row in rows if row["level"] != "guard"]
    assert names == [("session", own["name"]), ("agent", "of_the_agent"), ("server", everywhere["name"])]


def test_session_level_policies_are_attached_by_post(api: Api) -> None:
    session_id, other = (api.create(host_id=None)["id"] for _ in range(2))

    made = attach(api, session_id, CEL, factory_params=always("deny", "not here"))

    assert made["id"].startswith("pol_")
    assert [row["id"] for row in api.get(f"/v1/sessions/{session_id}/policies")["data"]] == [made["id"]]
    assert result(api, session_id, shell("ls")) == "deny"
    assert result(api, other, shell("ls")) == "allow"


def test_session_level_policies_are_listed_changed_and_deleted_there(api: Api) -> None:
    session_id = api.create(host_id=None)["id"]
    made = attach(api, session_id, CEL, factory_params=always("deny", "not here"))
    address = f"/v1/sessions/{session_id}/policies/{made['id']}"

    assert api.get(address) == made
    assert api.http.patch(address, json={"enabled": False}).json()["enabled"] is False
    assert result(api, session_id, shell("ls")) == "allow"
    assert api.http.delete(address).json() == {"deleted": True}
    assert api.http.get(address).status_code == httpx.codes.NOT_FOUND


def test_others_cannot_reach_a_sessions_policies(mode: str, api: Api, member: Api) -> None:
    """In single-user mode there is nobody else."""
    session_id = api.create(host_id=None)["id"]
    body = {"name": unique(), "type": "python", "handler": ASK_ON_OS}

    added = member.http.post(f"/v1/sessions/{session_id}/policies", json=body)
    read = member.http.get(f"/v1/sessions/{session_id}/policies")

    expected = httpx.codes.OK if mode == "single-user" else httpx.codes.NOT_FOUND
    assert (added.status_code, read.status_code) == (expected, expected)


def test_session_level_policies_are_attached_by_the_agents_sys_add_policy_tool(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)
    stack.api.message(session_id, f'Add the policy {LONG_SLEEP} with {{"max_seconds": 7}}')
    question = wait_for(
        lambda: next(iter(pending(stack.api, session_id)), None), seconds=30, what="a question", every=0.1
    )
    assert question is not None
    data = {"elicitation_id": question["elicitation_id"], "action": "accept"}
    stack.api.post(session_id, {"type": "approval", "data": data})
    stream.wait_settled()

    [added] = stack.api.get(f"/v1/sessions/{session_id}/policies")["data"]
    assert (added["source"], added["handler"]) == ("session", LONG_SLEEP)
    assert result(stack.api, session_id, shell("sleep 8")) == "deny"


def test_sys_add_policy_always_asks(api: Api) -> None:
    session_id = api.create(host_id=None)["id"]

    question, verdict = answered(
        api, session_id, call("sys_add_policy", name="easy", handler=LONG_SLEEP), "decline"
    )

    assert LONG_SLEEP in question["params"]["message"]
    assert verdict["result"] == "POLICY_ACTION_DENY"


def test_agent_spec_policies_are_declared_in_the_policies_block(api: Api) -> None:
    session_id = strict_session(api)

    verdict = evaluate(api, session_id, shell("ls"))

    assert (verdict["result"], verdict["reason"]) == ("POLICY_ACTION_DENY", "says the agent")
    [listed] = api.get(f"/v1/sessions/{session_id}/policies")["data"]
    assert (listed["name"], listed["source"]) == ("of_the_agent", "spec")


def test_server_wide_policies_are_managed_by_post_v1_policies(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    house.add(CEL, factory_params=always("deny", "says the server"))

    assert evaluate(api, session_id, shell("ls"))["reason"] == "says the server"


def test_the_first_deny_wins_over_a_later_ask(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    attach(api, session_id, CEL, factory_params=always("deny", "first"))
    house.add(ASK_ON_OS)

    assert evaluate(api, session_id, shell("ls"))["reason"] == "first"
    assert pending(api, session_id) == []


def test_the_first_ask_wins_over_a_later_deny(api: Api, house: House) -> None:
    """A question is asked, and not a denial reported; that the later one still denies comes after it."""
    session_id = api.create(host_id=None)["id"]
    own = attach(api, session_id, ASK_ON_OS)
    house.add(CEL, factory_params=always("deny", "last"))

    question, verdict = answered(api, session_id, shell("ls"), "accept")

    assert question["params"]["policy_name"] == own["name"]
    assert (verdict["result"], verdict["reason"]) == ("POLICY_ACTION_DENY", "last")


def test_within_a_level_the_older_one_comes_first(api: Api) -> None:
    session_id = api.create(host_id=None)["id"]
    for reason in ("older", "newer"):
        attach(api, session_id, CEL, factory_params=always("deny", reason))

    assert evaluate(api, session_id, shell("ls"))["reason"] == "older"


PHASES: dict[str, dict[str, Any]] = {
    "request": {"type": "PHASE_REQUEST", "data": {"text": "Hello"}},
    "tool_call": shell("ls"),
    "tool_result": {
        "type": "PHASE_TOOL_RESULT",
        "data": {"result": "ok"},
        "request_data": {"name": "sys_os_shell", "arguments": {"command": "ls"}},
    },
    "llm_request": {"type": "PHASE_LLM_REQUEST", "data": {"model": "m", "last_user_message": "Hello"}},
    "llm_response": {"type": "PHASE_LLM_RESPONSE", "data": {"model": "m", "text_preview": "Hi"}},
}


@pytest.mark.parametrize("phase", PHASES)
def test_they_are_evaluated_on_every_agent_action(api: Api, phase: str) -> None:
    session_id = api.create(host_id=None)["id"]
    expression = f'event.type == "{phase}" ? {{"result": "deny", "reason": "no {phase}"}} : {{}}'
    attach(api, session_id, CEL, factory_params={"expression": expression})

    verdicts = {name: result(api, session_id, event) for name, event in PHASES.items()}

    assert verdicts == {name: "deny" if name == phase else "allow" for name in PHASES}


def test_a_message_is_evaluated_before_it_reaches_the_agent(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    expression = 'event.type == "request" ? {"result": "deny", "reason": "closed"} : {}'
    attach(stack.api, session_id, CEL, factory_params={"expression": expression})

    answer = stack.api.post(session_id, message("Hello"))

    assert (answer.status_code, answer.json()["denied"]) == (httpx.codes.ACCEPTED, True)
    assert answer.json()["reason"] == "closed"
    assert not [item for item in stack.api.items(session_id) if item.get("role") == "user"]

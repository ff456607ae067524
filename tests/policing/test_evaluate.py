"""The evaluate endpoint: which events it takes, in which order policies are asked, and what they leave."""

import asyncio
import json
from typing import Any

import pytest

from agents_app.models import Agent
from agents_app.services import register_builtin
from tests.error_shape import assert_error, assert_invalid
from tests.factories import label, make_session
from tests.policing.policed import ALLOW, ASK, DENY, HERE, Policed, a_call, allow, ask, deny

BUILTIN = "omnigent.policies.builtins.safety"
CALL = a_call(command="ls")
UNKNOWN = "conv_" + "0" * 32


UNREADABLE: list[tuple[Any, str]] = [
    (None, "event"),
    ([], "event"),
    ("PHASE_REQUEST", "event"),
    ({"data": {}}, "event.type must be a string"),
    ({"type": 7, "data": {}}, "event.type must be a string"),
    ({"type": "PHASE_TOOL", "data": {}}, "PHASE_LLM_REQUEST"),
    ({"type": "tool_call", "data": {"name": "Bash"}}, "PHASE_TOOL_CALL"),
    ({"type": "phase_request", "data": "x"}, "PHASE_REQUEST"),
    ({"type": "PHASE_RESPONSE", "data": {}}, "Unknown phase"),
    ({"type": "PHASE_REQUEST", "data": 7}, "event.data"),
    ({"type": "PHASE_REQUEST"}, "event.data"),
    ({"type": "PHASE_TOOL_CALL", "data": "ls"}, "event.data"),
    ({"type": "PHASE_TOOL_CALL", "data": {"arguments": {}}}, "event.data.name"),
    ({"type": "PHASE_TOOL_CALL", "data": {"name": ""}}, "event.data.name"),
    ({"type": "PHASE_TOOL_CALL", "data": {"name": 7}}, "event.data.name"),
    ({"type": "PHASE_TOOL_RESULT", "data": {"result": "x"}}, "request_data.name"),
    ({"type": "PHASE_LLM_REQUEST", "data": []}, "event.data"),
    ({"type": "PHASE_LLM_RESPONSE", "data": None}, "event.data"),
    ({**CALL, "context": []}, "event.context"),
    ({**CALL, "request_data": "x"}, "event.request_data"),
    ({**CALL, "target": 7}, "event.target"),
]


async def test_an_event_that_cannot_be_read_is_refused(rig: Policed) -> None:
    session_id = await rig.session()

    for event, words in UNREADABLE:
        answer = await rig.evaluate(session_id, event)
        assert words in assert_error(answer, 400, "invalid_input")["error"]["message"], event


async def test_a_bad_name_to_ask_again_by_is_refused(rig: Policed) -> None:
    session_id = await rig.session()

    names: list[Any] = ["elicit_1", "elicit_evaluate_" + "g" * 32, "elicit_evaluate_", 7, {}]
    for name in names:
        answer = await rig.evaluate(session_id, CALL, _omnigent_elicitation_id=name)
        assert_error(answer, 400, "invalid_input")


async def test_other_faults_of_a_request_have_their_statuses(rig: Policed) -> None:
    url = f"/v1/sessions/{await rig.session()}/policies/evaluate"
    json_type = {"Content-Type": "application/json"}

    for content in (b"{", b"[]", b""):
        assert_invalid(await rig.http.post(url, content=content, headers=json_type), "body")
    form = {"Content-Type": "text/plain"}
    assert (await rig.http.post(url, content=json.dumps({"event": CALL}), headers=form)).status_code == 415
    assert_error(await rig.evaluate(UNKNOWN, CALL), 404, "not_found")


async def test_the_answer_is_a_result_and_what_there_is_to_say(rig: Policed) -> None:
    session_id = await rig.session()
    assert await rig.verdict(session_id, CALL) == {"result": ALLOW}
    await rig.attach(session_id, "gate", answer=deny("not here"), tools=["Bash"])
    await rig.attach(session_id, "hand", answer=allow(data={"name": "Read", "arguments": {"a": 1}}))

    assert await rig.verdict(session_id, CALL) == {"result": DENY, "reason": "not here"}
    rewritten = await rig.verdict(session_id, a_call("Read"))
    assert rewritten == {"result": ALLOW, "data": {"name": "Read", "arguments": {"a": 1}}}


async def test_the_contracts_own_examples(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "skills", f"{BUILTIN}.block_skills", blocked=["deploy"])
    await rig.attach(session_id, "box", f"{BUILTIN}.enforce_sandbox", more={"factory_params": {}})

    skill = await rig.verdict(session_id, a_call("load_skill", name="Deploy"))
    typed = await rig.verdict(session_id, {"type": "PHASE_REQUEST", "data": {"text": "/deploy now"}})
    plain = await rig.verdict(session_id, {"type": "PHASE_REQUEST", "data": "/deploy now"})
    started = await rig.verdict(
        session_id, a_call("sys_agent_start", sandbox={"type": "none", "zzz": 1}, k=2)
    )

    assert [one["result"] for one in (skill, typed, plain)] == [DENY] * 3
    assert started["result"] == ALLOW
    arguments = started["data"]["arguments"]
    assert arguments["k"] == 2
    assert (arguments["sandbox"]["type"], arguments["sandbox"]["allow_network"]) == ("linux_bwrap", True)
    assert "zzz" not in arguments["sandbox"]


@pytest.mark.parametrize(("action", "result"), [("accept", ALLOW), ("decline", DENY), ("cancel", DENY)])
async def test_a_question_is_held_until_it_is_answered(rig: Policed, action: str, result: str) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "os_ask", "omnigent.policies.ask_on_os_tools")
    waiting = rig.waits(rig.verdict(session_id, a_call(command="rm -r /tmp/x")))

    question = await rig.question(session_id)
    assert not waiting.done()
    await rig.settle(session_id, action)

    assert (await waiting)["result"] == result
    assert question["params"]["message"].startswith("os_ask: ")
    assert "rm -r /tmp/x" in question["params"]["message"]
    assert await rig.pending(session_id) == []


async def test_a_question_that_nobody_answers_in_time_is_a_denial(rig: Policed) -> None:
    session_id = await rig.session()
    brief = {"ask_timeout": 0.3}
    await rig.attach(session_id, "os_ask", "omnigent.policies.ask_on_os_tools", more=brief)

    verdict = await asyncio.wait_for(rig.verdict(session_id, CALL), 4)

    assert verdict["result"] == DENY
    assert verdict["reason"].startswith("os_ask: ")


async def test_whoever_comes_again_by_the_same_name_waits_for_the_same_question(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("sure?"))
    name = "elicit_evaluate_" + "a" * 32
    first, second = (
        rig.waits(rig.verdict(session_id, CALL, _omnigent_elicitation_id=name)) for _ in range(2)
    )

    assert (await rig.question(session_id))["elicitation_id"] == name
    await rig.settle(session_id)

    assert [(await one)["result"] for one in (first, second)] == [ALLOW, ALLOW]
    assert len(await rig.held()) == 1


def agent_with(reason: str) -> Agent:
    """An agent whose own policy denies what says `agent` or `all`."""
    document = f"""\
name: strict
description: d
prompt: p
executor: {{harness: scripted}}
policies:
  own:
    type: function
    handler: {HERE}.says
    factory_params: {{answer: {{result: DENY, reason: {reason}}}, word: agent}}
"""
    return register_builtin(files={"strict.yaml": document.encode()})


async def test_session_then_agent_then_server_and_the_first_objection_is_reported(rig: Policed) -> None:
    await rig.everywhere("wide", answer=deny("the server"))
    session_id = await rig.session(agent=await rig.run(agent_with, "the agent"))
    await rig.attach(session_id, "first", answer=deny("the session"), word="session")
    await rig.attach(session_id, "second", answer=deny("the session's second"), word="session")

    said = [await rig.verdict(session_id, a_call(words=words)) for words in ("session agent", "agent", "")]

    assert [one["reason"] for one in said] == ["the session", "the agent", "the server"]


async def test_an_earlier_question_is_asked_before_a_later_denial_which_still_holds(rig: Policed) -> None:
    await rig.everywhere("wide", answer=deny("never here"), tools=["Bash"])
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("sure?", set_labels={"asked": "yes"}))
    waiting = rig.waits(rig.verdict(session_id, CALL))

    assert (await rig.question(session_id))["params"]["message"] == "care: sure?"
    await rig.settle(session_id)

    assert await waiting == {"result": DENY, "reason": "never here"}
    assert [row.verdict for row in await rig.decisions()] == ["ask", "deny"]


async def test_two_policies_may_ask_one_after_the_other(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "one", answer=ask("first"))
    await rig.attach(session_id, "two", answer=ask("second"))
    waiting = rig.waits(rig.verdict(session_id, CALL))

    first = await rig.settle(session_id)
    second = await rig.question(session_id, besides=first)
    assert not waiting.done()
    assert second["params"]["message"] == "two: second"
    await rig.settle(session_id)

    assert (await waiting)["result"] == ALLOW


async def test_each_policy_sees_what_the_one_before_has_rewritten(rig: Policed) -> None:
    session_id = await rig.session()
    bash = {"name": "Bash", "arguments": {"command": "ls -l"}}
    await rig.attach(session_id, "rewrites", answer=allow(data=bash), word="danger")
    await rig.attach(session_id, "sees", "tells", part="data", phases=["tool_call"])

    told = await rig.verdict(session_id, a_call(command="danger"))

    assert (told["result"], json.loads(told["reason"])) == (DENY, bash)
    assert "data" not in told


async def test_rewritten_data_waits_for_the_approval_with_which_it_came(rig: Policed) -> None:
    session_id = await rig.session()
    bash = {"name": "Bash", "arguments": {"command": "ls"}}
    await rig.attach(session_id, "care", answer=ask("rewrite it?", data=bash))
    waiting = rig.waits(rig.verdict(session_id, a_call(command="rm")))

    await rig.settle(session_id)

    assert await waiting == {"result": ALLOW, "data": bash}


async def test_state_and_labels_are_written_on_allow(rig: Policed) -> None:
    session_id = await rig.session()
    updates = [
        {"key": "seen", "action": "append", "value": "x"},
        {"key": "count", "action": "increment", "value": 2},
        {"key": "last", "action": "set", "value": {"a": [1]}},
    ]
    await rig.attach(
        session_id, "notes", answer=allow(state_updates=updates, set_labels={"risk": "low"}), word="note"
    )
    await rig.attach(session_id, "sees", "tells", part="session_state", phases=["llm_response"])

    for _ in range(2):
        await rig.verdict(session_id, a_call(command="note"))

    assert await rig.remembered(session_id) == {"seen": ["x", "x"], "count": 4, "last": {"a": [1]}}
    assert await rig.labels(session_id) == {"risk": "low"}
    told = await rig.verdict(session_id, {"type": "PHASE_LLM_RESPONSE", "data": {"text_preview": "hi"}})
    assert json.loads(told["reason"])["count"] == 4


@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_state_and_labels_of_a_question_are_written_only_if_it_is_accepted(
    rig: Policed, action: str
) -> None:
    session_id = await rig.session()
    reserved = {"_policy_mine": 1, "plain": 2}
    answer = ask("sure?", state_updates=reserved, set_labels={"risk": "high"})
    await rig.attach(session_id, "care", answer=answer)
    waiting = rig.waits(rig.verdict(session_id, CALL))

    await rig.question(session_id)
    assert (await rig.remembered(session_id), await rig.labels(session_id)) == ({}, {})
    await rig.settle(session_id, action)
    await waiting

    is_accepted = action == "accept"
    assert await rig.remembered(session_id) == (reserved if is_accepted else {})
    assert await rig.labels(session_id) == ({"risk": "high"} if is_accepted else {})


@pytest.mark.parametrize("key", ["_policy_tool_call_count", "_policy_x", "subagent_cost_ask_approved_usd"])
async def test_a_reserved_key_is_not_written_without_an_approval(rig: Policed, key: str) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "sly", answer=allow(state_updates={key: 0}))

    verdict = await rig.verdict(session_id, CALL)

    assert verdict["result"] == DENY
    assert "'sly'" in verdict["reason"]
    assert key in verdict["reason"]
    assert await rig.remembered(session_id) == {}


async def test_concurrent_calls_are_counted_one_by_one(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "cap", "counts", limit=5)

    calls = (rig.verdict(session_id, a_call(number=number)) for number in range(12))
    results = [one["result"] for one in await asyncio.gather(*calls)]

    assert (results.count(ALLOW), results.count(DENY)) == (5, 7)
    assert await rig.remembered(session_id) == {"calls": 5}


async def test_a_denied_call_is_shown_in_the_session(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "gate", answer=deny("no"))

    await rig.verdict(session_id, CALL)
    await rig.verdict(session_id, {"type": "PHASE_REQUEST", "data": "x"})

    [shown] = [event for kind, event in await rig.log(session_id) if kind == "response.policy_denied"]
    assert (shown["conversation_id"], shown["reason"], shown["phase"]) == (session_id, "no", "tool_call")


@pytest.mark.parametrize("phase", ["tool_result", "llm_response"])
async def test_a_phase_that_nobody_waits_in_gives_the_question_back(rig: Policed, phase: str) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("sure?"))
    event = {"type": f"PHASE_{phase.upper()}", "target": "Bash", "data": {"result": "x"}}

    verdict = await rig.verdict(session_id, event)

    assert verdict == {"result": ASK, "reason": "care: sure?"}
    assert await rig.pending(session_id) == []


async def test_a_handler_is_shown_the_documented_event(rig: Policed) -> None:
    def made() -> str:
        session = make_session(title="Work")
        label(session, team="red")
        return session.public_id

    session_id = await rig.run(made)
    await rig.attach(session_id, "sees", "tells", part="context")
    event = {**CALL, "context": {"model": "big", "harness": "claude", "actor": {"run_as": "root"}}}

    seen = json.loads((await rig.verdict(session_id, event))["reason"])

    assert seen["actor"] == {"run_as": "local"}
    assert (seen["model"], seen["harness"]) == ("big", "claude")
    assert (seen["conversation_id"], seen["conversation_title"]) == (session_id, "Work")
    assert seen["labels"] == {"team": "red"}
    assert seen["usage"]["total_tokens"] == 0
    assert (seen["subtree_usage"], seen["user_daily_cost"]) == ({}, [])


async def test_a_result_is_judged_with_the_call_that_it_is_of(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "sees", "tells", part="request_data", phases=["tool_result"])
    made = {"name": "Bash", "arguments": {"command": "ls"}}
    event = {"type": "PHASE_TOOL_RESULT", "data": {"result": "a.txt"}, "request_data": made}

    assert json.loads((await rig.verdict(session_id, event))["reason"]) == made

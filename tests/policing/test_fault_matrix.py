"""Whatever goes wrong, in whatever phase: the outcome is the documented one, and no gate lets anything by."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from omnigent.policies.remote import RemoteRules
from omnigent.policies.types import Phase
from policies_app.building import Builder
from policies_app.catalogue import build_catalogue
from sessions_app.flows.policing.desk import Urls
from sessions_app.models import SessionPolicy
from sessions_app.services.policing.chains import Chains
from tests.inputs.fake_runner import turn
from tests.inputs.rig import said
from tests.outbound.clients import HOST
from tests.outbound.https_server import Reply, answer, hang_up, raw, silence
from tests.policies.remote_service import RemoteService, json_answer, remote_service
from tests.policing import handlers
from tests.policing.policed import ALLOW, DENY, WIRE, Policed, a_call, deny
from tests.policing.tool_runner import ToolRunner
from tests.tunnel.trouble import Trouble, troubled

EVENTS: dict[str, dict[str, Any]] = {
    "request": {"type": "PHASE_REQUEST", "data": {"user_content": "go"}},
    "tool_call": a_call(command="ls"),
    "tool_result": {"type": "PHASE_TOOL_RESULT", "target": "Bash", "data": {"result": "x"}},
    "llm_request": {"type": "PHASE_LLM_REQUEST", "data": {"last_user_message": "go"}},
    "llm_response": {"type": "PHASE_LLM_RESPONSE", "data": {"text_preview": "x"}},
}
GATES = ("request", "tool_call")
CEL = "omnigent.policies.builtins.cel.cel_policy"
NONSENSE: dict[str, Any] = {
    "a word": "allow",
    "a number": 1,
    "a list": [],
    "truth": True,
    "nothing said": {},
    "no result": {"reason": "fine"},
    "null": {"result": None},
    "another verdict": {"result": "maybe"},
    "labels of a wrong type": {"result": "allow", "set_labels": ["a"]},
    "updates of a wrong type": {"result": "allow", "state_updates": "x"},
    "an unknown update": {"result": "allow", "state_updates": [{"key": "a", "action": "multiply"}]},
    "an update that does not fit": {
        "result": "allow",
        "state_updates": [{"key": "a", "action": "set", "value": "x"}, {"key": "a", "action": "increment"}],
    },
}


async def every_road(rig: Policed, runner: ToolRunner, session_id: str) -> dict[str, str]:
    """What comes of an action of each phase, on the road that an agent takes: `done`, or the reason."""
    outcomes: dict[str, str] = {}
    posted = (await rig.post(session_id, said("hello"))).json()
    outcomes["message"] = posted["reason"] if posted.get("denied") else "done"
    called = await rig.use(session_id, "Bash", command="ls")
    outcomes["call"] = called["error"]["message"] if "error" in called else "done"
    text = {"type": "external_assistant_message", "data": {"agent": "helper", "text": "all is well"}}
    await rig.post(session_id, text)
    spoken = str((await rig.items(session_id))[-1]["content"][0]["text"])
    outcomes["response"] = "done" if spoken == "all is well" else spoken
    return outcomes


async def evaluated(rig: Policed, session_id: str) -> dict[str, dict[str, Any]]:
    """The verdict in each phase of the endpoint."""
    assert EVENTS.keys() == WIRE.keys()
    return {phase: await rig.verdict(session_id, event) for phase, event in EVENTS.items()}


async def assert_all_denied(rig: Policed, runner: ToolRunner, session_id: str, *words: str) -> None:
    """Nothing gets through in any phase, and the reason names what failed."""
    verdicts = await evaluated(rig, session_id)
    assert {phase: one["result"] for phase, one in verdicts.items()} == dict.fromkeys(EVENTS, DENY)
    outcomes = await every_road(rig, runner, session_id)
    for reason in (*(one["reason"] for one in verdicts.values()), *outcomes.values()):
        assert all(word in reason for word in words), reason
    assert runner.executed == []
    assert runner.posted == []


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        ("raises", "RuntimeError"),
        ("exits", "SystemExit"),
        ("hangs", "no answer in 0.3 s"),
        ("rewrites_oddly", "no JSON"),
    ],
)
async def test_a_handler_that_fails_denies_in_every_phase(
    rig: Policed, runner: ToolRunner, handler: str, words: str
) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "broken", handler)

    await assert_all_denied(rig, runner, session_id, "policy 'broken' failed", words)


async def test_a_handler_that_returns_nonsense_denies_in_every_phase(
    rig: Policed, runner: ToolRunner
) -> None:
    for name, given in NONSENSE.items():
        session_id = await rig.session()
        await rig.attach(session_id, name, answer=given)

        verdicts = await evaluated(rig, session_id)

        assert {one["result"] for one in verdicts.values()} == {DENY}, name
        assert all(f"policy {name!r} failed" in one["reason"] for one in verdicts.values()), verdicts


async def test_what_a_failing_policy_wanted_to_write_is_not_written(rig: Policed) -> None:
    session_id = await rig.session()
    wrong = {"result": "allow", "set_labels": {"a": "b"}, "state_updates": {"_policy_x": 1}}
    await rig.attach(session_id, "sly", answer=wrong)

    await evaluated(rig, session_id)

    assert (await rig.labels(session_id), await rig.remembered(session_id)) == ({}, {})


async def test_a_module_that_is_gone_denies_in_every_phase(
    rig: Policed, runner: ToolRunner, operators: Any
) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "own", answer={"result": "allow"})
    operators.catalogue = build_catalogue()
    await rig.door.restart()
    await runner.connect()
    await rig.known(runner)

    await assert_all_denied(rig, runner, session_id, "policy 'own' failed", "not in the registry")


@pytest.mark.parametrize("params", [{"blocked": 7}, {"colour": "red"}, {}])
async def test_parameters_that_no_longer_fit_deny_in_every_phase(
    rig: Policed, runner: ToolRunner, params: dict[str, Any]
) -> None:
    session_id = await rig.bound(runner)
    skills = "omnigent.policies.builtins.safety.block_skills"
    await rig.attach(session_id, "skills", skills, blocked=["a"])

    await rig.run(SessionPolicy.objects.all().update, factory_params=params)
    await rig.door.restart()
    await runner.connect()
    await rig.known(runner)

    await assert_all_denied(rig, runner, session_id, "policy 'skills' failed")


async def test_a_faulty_condition_denies_where_something_is_about_to_be_done(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "rule", CEL, expression="event.data.no.such.thing")

    results = {phase: one["result"] for phase, one in (await evaluated(rig, session_id)).items()}

    assert results == {phase: DENY if phase in GATES else ALLOW for phase in EVENTS}


@asynccontextmanager
async def url_policy(
    rig: Policed, operators: Any, session_id: str, reply: Reply, **rules: Any
) -> AsyncIterator[RemoteService]:
    """A url policy of the session and its service, whom this server's own client would not trust."""
    fast = RemoteRules(timeout_seconds=0.3, breaker_failures=1000, **rules)
    async with remote_service(reply, fast) as service:
        modules, port = [handlers.__name__], str(service.server.port)
        operators.catalogue = build_catalogue(modules=modules, allowed=[HOST], ports=[port])
        remotes = Urls(service.policies, 0.3)
        rig.process.policies.chains = Chains(Builder(registry=operators.registry, remotes=remotes))
        new = {"name": "outer gate", "type": "url", "handler": service.url}
        made = await rig.http.post(f"/v1/sessions/{session_id}/policies", json=new)
        assert made.status_code == 200, made.text
        yield service


REPLIES: dict[str, Reply] = {
    "500": answer("500 Internal Server Error", b"{}"),
    "503 that allows": answer("503 Service Unavailable", b'{"result":"ALLOW"}'),
    "302": answer("302 Found", b"", "Location: https://policy.example/"),
    "slow": silence,
    "hangs up": hang_up,
    "no HTTP": raw(b"ALLOW\r\n\r\n"),
    "no JSON": json_answer("ALLOW"),
    "a list": json_answer("[]"),
    "unknown verdict": json_answer('{"result":"MAYBE"}'),
    "too long": json_answer(json.dumps({"result": "ALLOW", "reason": "x" * 70_000})),
}


@pytest.mark.parametrize("kind", REPLIES)
async def test_a_url_that_does_not_answer_properly_denies_in_every_phase(
    rig: Policed, operators: Any, kind: str
) -> None:
    session_id = await rig.session()
    async with url_policy(rig, operators, session_id, REPLIES[kind]) as service:
        verdicts = await evaluated(rig, session_id)

    assert len(service.server.requests) == len(EVENTS)
    assert {one["result"] for one in verdicts.values()} == {DENY}
    assert all("policy 'outer gate' failed" in one["reason"] for one in verdicts.values()), verdicts


async def test_a_url_that_answers_is_believed(rig: Policed, operators: Any) -> None:
    session_id = await rig.session()
    async with url_policy(rig, operators, session_id, json_answer('{"result":"ALLOW"}')) as service:
        verdicts = await evaluated(rig, session_id)
        service.server.reply = json_answer('{"result":"DENY","reason":"closed"}')
        denied = await evaluated(rig, session_id)

    assert {one["result"] for one in verdicts.values()} == {ALLOW}
    assert {one["reason"] for one in denied.values()} == {"closed"}


async def test_the_operator_may_let_a_url_fail_open_but_never_at_a_gate(rig: Policed, operators: Any) -> None:
    session_id = await rig.session()
    advisory = frozenset(Phase) - {Phase.REQUEST, Phase.TOOL_CALL}
    async with url_policy(rig, operators, session_id, REPLIES["500"], fail_open_phases=advisory):
        results = {phase: one["result"] for phase, one in (await evaluated(rig, session_id)).items()}

    assert results == {phase: DENY if phase in GATES else ALLOW for phase in EVENTS}


@pytest.fixture
def trouble(transactional_db: None) -> Any:
    """Makes statements of the writer fail; must be there before the server is."""
    with troubled() as trouble:
        yield trouble


async def test_a_verdict_that_cannot_be_recorded_is_a_denial(
    trouble: Trouble, rig: Policed, runner: ToolRunner
) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "notes", answer={"result": "allow"})

    trouble.begin(10_000, on="policies_app_decision")
    verdicts = await evaluated(rig, session_id)
    outcomes = await every_road(rig, runner, session_id)
    trouble.end()

    assert {one["result"] for one in verdicts.values()} == {DENY}
    assert {one["reason"] for one in verdicts.values()} == {"policy evaluation error"}
    assert trouble.failed > 0
    assert all("policy evaluation error" in one for one in outcomes.values())
    assert (runner.executed, runner.posted) == ([], [])
    assert {one["result"] for one in (await evaluated(rig, session_id)).values()} == {ALLOW}


async def test_what_cannot_be_remembered_denies_at_every_gate(rig: Policed, runner: ToolRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "odd", "remembers_oddly")

    verdicts = [await rig.verdict(session_id, EVENTS[phase]) for phase in (*GATES, "llm_request")]
    outcomes = await every_road(rig, runner, session_id)

    assert [one["result"] for one in verdicts] == [DENY] * 3
    assert "done" not in outcomes.values()
    assert (runner.executed, runner.posted) == ([], [])


async def test_a_refusal_that_cannot_be_recorded_at_once_is_no_approval(
    trouble: Trouble, rig: Policed, runner: ToolRunner
) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "care", answer={"result": "ask"}, phases=["tool_call"])
    await rig.use(session_id, "Bash", command="ls")

    trouble.begin(3, on="policies_app_decision")
    await rig.settle(session_id, "decline")
    await rig.delivered(session_id)
    answered = await rig.use(session_id, "Bash", command="ls")

    assert trouble.failed == 3
    assert answered["error"]["code"] == -32000
    assert runner.executed == []


async def test_an_approval_that_cannot_be_recorded_at_once_is_not_lost(
    trouble: Trouble, rig: Policed, runner: ToolRunner
) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "care", answer={"result": "ask"}, phases=["request"])
    waiting = await rig.parked(session_id, "go")

    trouble.begin(3, on="policies_app_decision")
    await rig.settle(session_id)

    assert (await asyncio.wait_for(waiting, 15)).json()["queued"] is True
    assert trouble.failed == 3
    await rig.delivered(session_id)
    assert len(runner.messages) == 1


async def test_a_context_that_is_missing_or_odd_changes_no_verdict(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "gate", answer=deny("no"))

    for context in (None, {}, {"model": None, "harness": 7}, {"model": ["x"]}):
        for event in EVENTS.values():
            assert (await rig.verdict(session_id, {**event, "context": context}))["result"] == DENY


async def test_an_unknown_phase_is_refused_and_not_allowed(rig: Policed) -> None:
    session_id = await rig.session()

    for phase in ("", "PHASE_", "PHASE_TOOL_CALL ", "PHASE_RESPONSE", "tool_call", None, 1):
        answered = await rig.evaluate(session_id, {**EVENTS["tool_call"], "type": phase})
        assert answered.status_code == 400, phase
        assert "result" not in answered.json()


async def test_a_runner_of_old_is_bound_by_the_gate_all_the_same(rig: Policed, runner: ToolRunner) -> None:
    """It sends no operation id, asks no questions of its own, and numbers nothing."""
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "gate", answer=deny("no"), tools=["Write"])
    await rig.attach(session_id, "care", answer={"result": "ask"}, phases=["tool_call"], tools=["Bash"])
    bash = {"name": "Bash", "arguments": {"command": "ls"}}

    denied = await rig.mcp(session_id, {"name": "Write", "arguments": {}})
    first = await rig.mcp(session_id, bash)
    await rig.settle(session_id)
    made = await rig.mcp(session_id, bash)
    again = await rig.mcp(session_id, bash)

    assert denied["error"]["code"] == -32000
    assert first["result"]["resultType"] == "input_required"
    assert made["result"]["content"][0]["text"] == "done"
    assert again["result"]["resultType"] == "input_required"
    assert len(runner.executed) == 1


async def test_a_handler_that_hangs_does_not_hold_up_other_sessions(rig: Policed) -> None:
    slow, free = await rig.session(), await rig.session()
    await rig.attach(slow, "hangs", "hangs")
    await rig.attach(free, "gate", answer=deny("no"))
    waiting = rig.waits(rig.verdict(slow, EVENTS["tool_call"]))

    first = await rig.verdict(free, EVENTS["tool_call"])

    assert first["reason"] == "no"
    assert not waiting.done()
    assert (await waiting)["result"] == DENY


async def test_text_whose_policies_fail_is_not_stored(rig: Policed, runner: ToolRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await rig.attach(session_id, "broken", "raises")

    await runner.tell(session_id, *turn("resp_1", "all is well"))

    spoken = [row for row in await rig.items(session_id) if row.get("role") == "assistant"]
    assert ["policy 'broken' failed" in row["content"][0]["text"] for row in spoken] == [True]

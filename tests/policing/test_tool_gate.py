"""The tool gate: a call is judged, held, executed once, and its result judged, whatever goes down."""

import json
from typing import Any

import pytest

from sessions_app.models import Session
from tests.factories import make_child
from tests.inputs.fake_runner import began, ended
from tests.inputs.waiting import until
from tests.policing.policed import Policed, ask, deny
from tests.policing.tool_runner import ToolRunner

DENIED, BROKEN = -32000, -32098
DONE = {"content": [{"type": "text", "text": "done"}]}


async def careful(rig: Policed, runner: ToolRunner, **params: Any) -> str:
    """A session in which every Bash call is asked about."""
    session_id = await rig.bound(runner)
    params = {"phases": ["tool_call"], "tools": ["Bash"], **params}
    await rig.attach(session_id, "care", answer=ask("sure?"), **params)
    return session_id


def question_of(answer: dict[str, Any]) -> str:
    """The question in an answer that wants one answered."""
    assert answer["result"]["resultType"] == "input_required"
    return str(json.loads(answer["result"]["requestState"])["elicitation_id"])


async def test_a_call_that_nobody_minds_is_executed(rig: Policed, runner: ToolRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "gate", answer=deny("no"), tools=["Write"])

    answer = await rig.use(session_id, "Bash", command="ls")

    assert answer == {"jsonrpc": "2.0", "id": 1, "result": DONE}
    assert runner.executed == [{"name": "Bash", "arguments": {"command": "ls"}}]


async def test_a_denied_call_is_an_error_with_the_reason_and_never_executed(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "gate", answer=deny("no shells here"))

    answer = await rig.use(session_id, "Bash", command="ls")

    assert answer["error"] == {"code": DENIED, "message": "Denied by policy: no shells here"}
    assert runner.executed == []
    assert "response.policy_denied" in await rig.log_types(session_id)


async def test_arguments_that_a_policy_has_rewritten_are_the_ones_executed(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await rig.bound(runner)
    safe = {"name": "Bash", "arguments": {"command": "ls"}}
    await rig.attach(session_id, "hand", answer={"result": "allow", "data": safe}, phases=["tool_call"])

    await rig.use(session_id, "Bash", command="rm -r /")

    assert runner.executed == [safe]


async def test_a_question_is_answered_at_once_with_what_is_required(rig: Policed, runner: ToolRunner) -> None:
    session_id = await careful(rig, runner)

    answer = await rig.use(session_id, "Bash", command="ls")

    elicitation_id = question_of(answer)
    [(key, request)] = answer["result"]["inputRequests"].items()
    assert (key, request["method"]) == (elicitation_id, "elicitation/create")
    assert request["params"]["mode"] == "url"
    assert request["params"]["url"] == f"/approve/{session_id}/{elicitation_id}"
    assert request["params"]["message"] == "care: sure?"
    assert json.loads(answer["result"]["requestState"]) == {
        "elicitation_id": elicitation_id,
        "session_id": session_id,
    }
    [shown] = await rig.pending(session_id)
    assert shown["elicitation_id"] == elicitation_id
    assert '"command": "ls"' in shown["params"]["content_preview"]
    assert runner.executed == []


async def retried(rig: Policed, session_id: str, first: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The runner comes again with the answer that it was told."""
    elicitation_id = question_of(first)
    params = {
        "name": "Bash",
        "arguments": {"command": "ls"},
        "_omnigent_operation_id": "mcpop_1",
        "requestState": first["result"]["requestState"],
        "inputResponses": {elicitation_id: {"action": "accept", "content": {"approved": True}}},
        **changes,
    }
    return await rig.mcp(session_id, params, id=2)


async def test_an_approved_call_is_told_to_the_runner_and_executed_once(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")

    elicitation_id = await rig.settle(session_id)
    await rig.delivered(session_id)
    answer = await retried(rig, session_id, first)

    told = [body["data"] for body in runner.taken if body["type"] == "approval"]
    assert told == [{"elicitation_id": elicitation_id, "action": "accept"}]
    assert (answer["id"], answer["result"]) == (2, DONE)
    assert runner.executed == [{"name": "Bash", "arguments": {"command": "ls"}}]


async def test_a_claim_of_the_runner_that_somebody_agreed_is_no_approval(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")

    again = await retried(rig, session_id, first)

    assert question_of(again) == question_of(first)
    assert runner.executed == []


@pytest.mark.parametrize("arguments", [{"command": "ls -l"}, {"command": "ls", "cwd": "/"}, {}])
async def test_other_arguments_need_another_approval(
    rig: Policed, runner: ToolRunner, arguments: dict[str, Any]
) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id)

    again = await retried(rig, session_id, first, arguments=arguments)

    assert question_of(again) != question_of(first)
    assert runner.executed == []


async def test_an_approval_is_for_one_call_only(rig: Policed, runner: ToolRunner) -> None:
    session_id = await careful(rig, runner)
    await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id)
    await rig.use(session_id, "Bash", command="ls")

    later = await rig.use(session_id, "Bash", operation="mcpop_2", command="ls")

    assert question_of(later)
    assert len(runner.executed) == 1


async def test_a_lost_tunnel_does_not_make_it_twice(rig: Policed, runner: ToolRunner) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id)
    await rig.delivered(session_id)
    runner.loses_next = True

    broken = await retried(rig, session_id, first)
    await runner.connect()
    await rig.known(runner)
    answer = await retried(rig, session_id, first)

    assert broken["error"]["code"] == BROKEN
    assert answer["result"] == DONE
    assert len(runner.executed) == 1


async def test_a_later_policy_asks_as_well(rig: Policed, runner: ToolRunner) -> None:
    session_id = await careful(rig, runner)
    await rig.attach(session_id, "more care", answer=ask("really?"), phases=["tool_call"])
    first = await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id)

    second = await retried(rig, session_id, first)

    assert question_of(second) != question_of(first)
    [request] = second["result"]["inputRequests"].values()
    assert request["params"]["message"] == "more care: really?"
    assert runner.executed == []
    await rig.settle(session_id)
    assert (await retried(rig, session_id, second))["result"] == DONE
    assert len(runner.executed) == 1


async def test_a_later_denial_holds_after_the_approval(rig: Policed, runner: ToolRunner) -> None:
    await rig.everywhere("wide", answer=deny("never"), tools=["Bash"])
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id)

    answer = await retried(rig, session_id, first)

    assert answer["error"] == {"code": DENIED, "message": "Denied by policy: never"}
    assert runner.executed == []


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_refused_call_is_denied_without_being_made(
    rig: Policed, runner: ToolRunner, action: str
) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id, action)
    await rig.delivered(session_id)
    assert [body["data"]["action"] for body in runner.taken] == [action]

    answer = await retried(rig, session_id, first)

    assert runner.executed == []
    assert answer["error"]["code"] == DENIED
    assert "care: sure?" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (deny("secret"), "[Result suppressed by policy: secret]"),
        (ask("sure?"), "[Result suppressed by policy: sees: sure?]"),
        ({"result": "allow", "data": "***"}, "***"),
        ({"result": "allow", "data": {"result": "***"}}, "***"),
    ],
)
async def test_a_result_reaches_the_model_as_policies_let_it(
    rig: Policed, runner: ToolRunner, answer: dict[str, Any], text: str
) -> None:
    session_id = await rig.bound(runner)
    runner.output = "the password is 1234"
    await rig.attach(session_id, "sees", answer=answer, phases=["tool_result"], word="1234")

    answered = await rig.use(session_id, "Bash", command="cat p")

    assert answered["result"] == {"content": [{"type": "text", "text": text}]}
    assert len(runner.executed) == 1


async def test_an_approval_after_a_restart_of_the_server_counts(rig: Policed, runner: ToolRunner) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")

    await rig.door.restart()
    await runner.connect()
    await rig.known(runner)
    assert (await rig.settle(session_id)) == question_of(first)
    await rig.door.restart()
    await runner.connect()
    await rig.known(runner)
    answer = await retried(rig, session_id, first)

    assert answer["result"] == DONE
    assert len(runner.executed) == 1


async def test_another_runner_process_goes_on_without_a_second_question(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await careful(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    await runner.end()
    again = ToolRunner(rig.door)
    await again.connect()
    await rig.known(again)

    waiting = await rig.use(session_id, "Bash", operation="mcpop_other", command="ls")
    assert question_of(waiting) == question_of(first)
    await rig.settle(session_id)
    answers = [
        await rig.use(session_id, "Bash", operation=operation, command="ls")
        for operation in ("mcpop_other", "mcpop_other", "mcpop_1")
    ]

    assert [one.get("result") for one in answers[:2]] == [DONE, DONE]
    assert question_of(answers[2]) != question_of(first)
    assert len(again.executed) == 1
    await again.end()


async def test_an_approved_call_that_a_lost_runner_never_made_is_made_by_the_next(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await careful(rig, runner)
    await rig.use(session_id, "Bash", command="ls")
    await rig.settle(session_id)
    await runner.end()
    again = ToolRunner(rig.door)
    await again.connect()
    await rig.known(again)

    answer = await rig.use(session_id, "Bash", operation="mcpop_other", command="ls")

    assert answer["result"] == DONE
    assert len(again.executed) == 1
    await again.end()


async def test_the_question_of_a_turn_that_has_ended_is_closed(rig: Policed, runner: ToolRunner) -> None:
    session_id = await careful(rig, runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    first = await rig.use(session_id, "Bash", command="ls")

    await runner.tell(session_id, *ended("resp_1", "cancelled"))

    await rig.becomes(session_id, "idle")
    assert await rig.pending(session_id) == []
    late = await rig.answer(session_id, question_of(first))
    assert late.json()["resolution"]["action"] == "cancel"
    assert (await retried(rig, session_id, first))["error"]["code"] == DENIED
    assert runner.executed == []


async def test_a_runner_whose_question_expires_is_told(rig: Policed, runner: ToolRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.attach(session_id, "care", answer=ask("sure?"), tools=["Bash"], more={"ask_timeout": 0.2})

    first = await rig.use(session_id, "Bash", command="ls")

    await until(lambda: any(body["type"] == "approval" for body in runner.taken), "the runner is told")
    [told] = [body["data"] for body in runner.taken if body["type"] == "approval"]
    assert told == {"elicitation_id": question_of(first), "action": "cancel"}
    assert (await retried(rig, session_id, first))["error"]["code"] == DENIED
    assert runner.executed == []


async def test_a_sub_agent_is_bound_by_the_policies_above_it(rig: Policed, runner: ToolRunner) -> None:
    root_id = await careful(rig, runner)

    def below() -> str:
        root = Session.objects.get(public_id=root_id)
        return make_child(root, "helper:one", runner_id=runner.runner_id).public_id

    child_id = await rig.run(below)
    await rig.attach(child_id, "own", answer=deny("not below"), tools=["Write"])

    assert question_of(await rig.use(child_id, "Bash", command="ls"))
    assert (await rig.use(child_id, "Write", path="a"))["error"]["code"] == DENIED
    assert (await rig.use(root_id, "Write", operation="mcpop_2", path="a"))["result"] == DONE


UNREADABLE: list[Any] = [
    *(None, [], {}, {"name": 7}),
    {"name": "Bash", "arguments": []},
    {"name": "Bash", "arguments": "ls"},
]


async def test_a_call_that_cannot_be_read_is_never_made(rig: Policed, runner: ToolRunner) -> None:
    session_id = await rig.bound(runner)

    for params in UNREADABLE:
        answer = await rig.mcp(session_id, params)
        assert answer["error"]["code"] == -32602, params

    assert runner.executed == []


async def in_turn(rig: Policed, runner: ToolRunner) -> str:
    """A careful session in the middle of a turn, whose stream the server reads."""
    session_id = await careful(rig, runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    return session_id


@pytest.mark.parametrize("action", ["accept", "decline", None])
async def test_a_runner_cannot_agree_to_its_own_call(
    rig: Policed, runner: ToolRunner, action: str | None
) -> None:
    session_id = await in_turn(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    elicitation_id = question_of(first)

    closing = {"type": "response.elicitation_resolved", "elicitation_id": elicitation_id, "action": action}
    await runner.tell(session_id, closing)

    answer = await retried(rig, session_id, first)
    assert answer["error"]["code"] == DENIED
    assert runner.executed == []


async def test_a_declined_call_stays_declined_when_the_runner_says_that_it_knows(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await in_turn(rig, runner)
    first = await rig.use(session_id, "Bash", command="ls")
    elicitation_id = question_of(first)
    known = {"type": "response.elicitation_resolved", "elicitation_id": elicitation_id, "action": "accept"}

    await rig.settle(session_id, "decline")
    await runner.tell(session_id, known, known)

    assert (await retried(rig, session_id, first))["error"]["code"] == DENIED
    assert runner.executed == []


async def test_a_runner_does_not_word_what_a_policy_asks(rig: Policed, runner: ToolRunner) -> None:
    session_id = await in_turn(rig, runner)
    elicitation_id = question_of(await rig.use(session_id, "Bash", command="rm -r /"))
    params = {"message": "May I say hello?", "mode": "form", "content_preview": "hello"}

    asked = {"type": "response.elicitation_request", "elicitation_id": elicitation_id, "params": params}
    await runner.tell(session_id, asked)

    assert "hello" not in str(await rig.log(session_id)) + str(await rig.pending(session_id))
    assert [one["params"]["message"] for one in await rig.pending(session_id)] == ["care: sure?"]

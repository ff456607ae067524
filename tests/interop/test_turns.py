"""The released host and the runner that it launches: turns, tools, questions, steering, sub-agents."""

import json
import sys

import pytest

from tests.e2e import families
from tests.e2e.api import of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.program import wait_for
from tests.interop.models import Models
from tests.interop.released import MODEL, SECONDS, VERSION, Desk, agent, archive
from tests.runner.mcp_rig import SCRIPTS

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

ASK = {"name": "ask", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
ONCE = 'Call sys_os_shell with {"command": "echo once >> made.txt; cat made.txt"}'


def shell(command: str) -> str:
    """The request to run a command."""
    return f"Call sys_os_shell with {json.dumps({'command': command})}"


def test_the_host_says_what_it_is(desk: Desk) -> None:
    [row] = [row for row in desk.stack.api.get("/v1/hosts")["hosts"] if row["version"] == VERSION]

    assert (row["status"], row["owner"]) == ("online", "local")
    assert row["configured_harnesses"]["openai-agents"] is True
    assert row["configured_harnesses"]["claude-native"] == "binary-missing"
    assert desk.stack.api.get(f"/v1/hosts/{row['host_id']}")["status"] == "online"


def test_a_turn_with_a_tool_and_one_after_it(desk: Desk, models: Models) -> None:
    session_id = desk.session()
    stream = desk.stack.stream(session_id, after=0)

    desk.stack.api.message(session_id, shell("echo from-the-tool"))
    stream.wait_settled(seconds=SECONDS)
    desk.stack.api.message(session_id, "and what now")
    stream.wait_settled(turns=2, seconds=SECONDS)

    items = desk.stack.api.items(session_id)
    [call] = of_type(items, "function_call")
    [output] = of_type(items, "function_call_output")
    assert (call["name"], call["call_id"]) == ("sys_os_shell", output["call_id"])
    assert "from-the-tool" in output["output"]
    assert "from-the-tool" in texts(items, "assistant")[0]
    assert texts(items, "assistant")[1] == "You said: and what now"
    assert stream.text == "".join(texts(items, "assistant"))
    assert_ordered(stream.frames)
    assert_same_as_items(stream.frames, items)
    assert set(models.told("from-the-tool")) == set(models.told("and what now")) == {1}
    snapshot = desk.stack.api.snapshot(session_id)
    assert (snapshot["status"], snapshot["last_task_error"]) == ("idle", None)
    assert snapshot["usage_by_model"][MODEL]["output_tokens"] == 21
    assert snapshot["title"] and snapshot["runner_online"] is True


def test_an_approved_call_is_made_once_and_a_declined_one_is_not(desk: Desk) -> None:
    workspace = desk.workspace()
    session_id = desk.session(workspace=workspace, policies=[ASK])
    stream = desk.stack.stream(session_id, after=0)

    desk.stack.api.message(session_id, ONCE)
    asked = desk.question(session_id)
    assert not (workspace / "made.txt").exists()
    desk.resolve(session_id, asked, "accept")
    stream.wait_settled(seconds=SECONDS)
    assert (workspace / "made.txt").read_text() == "once\n"
    assert "once" in desk.outputs(session_id)[0]

    desk.stack.api.message(session_id, ONCE)
    desk.resolve(session_id, desk.question(session_id), "decline")
    stream.wait_settled(turns=2, seconds=SECONDS)
    desk.stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    desk.stack.api.message(session_id, "and after that")
    wait_for(
        lambda: "and after that" in texts(desk.stack.api.items(session_id), "assistant")[-1],
        seconds=SECONDS,
        what="the turn after the declined call",
        every=0.1,
    )

    assert (workspace / "made.txt").read_text() == "once\n"
    assert desk.stack.api.snapshot(session_id)["pending_elicitations"] == []
    assert_ordered(stream.frames)


def test_a_tool_of_an_mcp_server(desk: Desk) -> None:
    server = {"type": "mcp", "command": sys.executable, "args": [str(SCRIPTS / "tools.py"), "stdio"]}
    session_id = desk.session(archive(agent(tools={"t": server})))
    stream = desk.stack.stream(session_id, after=0)

    desk.stack.api.message(session_id, 'Call t__add with {"left": 20, "right": 22}')
    stream.wait_settled(seconds=SECONDS)

    assert desk.outputs(session_id) == ["42"]


def test_a_message_during_a_turn_is_answered_after_it(desk: Desk, models: Models) -> None:
    session_id = desk.session()
    stream = desk.stack.stream(session_id, after=0)

    desk.stack.api.message(session_id, "Count to 30 slowly")
    stream.wait_event("response.output_text.delta", count=3, seconds=SECONDS)
    desk.stack.api.message(session_id, "a word in between")
    stream.wait_settled(turns=2, seconds=SECONDS)

    items = desk.stack.api.items(session_id)
    assert texts(items, "assistant")[0].split() == [str(number) for number in range(1, 31)]
    assert texts(items, "assistant")[1] == "You said: a word in between"
    assert len(texts(items, "assistant")) == 2
    assert set(models.told("a word in between")) == {1}
    assert_ordered(stream.frames)


def test_an_interrupt_ends_the_turn_and_keeps_what_was_said(desk: Desk) -> None:
    session_id = desk.session()
    stream = desk.stack.stream(session_id, after=0)

    desk.stack.api.message(session_id, "Count to 60 slowly")
    stream.wait_event("response.output_text.delta", count=5, seconds=SECONDS)
    desk.stack.api.interrupt(session_id)
    stream.wait_settled(seconds=SECONDS)
    desk.stack.api.message(session_id, "go on")
    stream.wait_settled(turns=2, seconds=SECONDS)

    said = texts(desk.stack.api.items(session_id), "assistant")
    assert said[0].split()[:5] == ["1", "2", "3", "4", "5"] and "60" not in said[0]
    assert said[-1] == "You said: go on"
    assert stream.types().count("response.cancelled") == 1
    assert stream.types().count("session.interrupted") == 1
    assert_ordered(stream.frames)


def test_a_sub_agent_wakes_its_parent_with_its_result(desk: Desk) -> None:
    helper = agent(name="helper")
    document = agent(name="lead", tools={"agents": ["helper"]})
    session_id = desk.session(archive(document, agents__helper__config=helper))
    stream = desk.stack.stream(session_id, after=0)

    desk.stack.api.message(session_id, f"Ask the sub-agent helper: {shell('echo from-below')}")
    wait_for(
        lambda: texts(desk.stack.api.items(session_id), "assistant")[1:],
        seconds=SECONDS,
        what="what the inbox has",
        every=0.2,
    )
    desk.stack.api.wait_status(session_id, "idle", seconds=SECONDS)

    told, collected = texts(desk.stack.api.items(session_id), "assistant")
    assert "sub_agent" in told and "from-below" in collected.partition("returned")[2]
    assert len(families.wakes(desk.stack, session_id)) == 1
    child = families.children(desk.stack, session_id)["helper"]
    assert (child["busy"], child["current_task_status"]) == (False, "completed")
    assert texts(desk.stack.api.items(child["id"]), "user") == [shell("echo from-below")]
    bound = {desk.stack.api.snapshot(one)["runner_id"] for one in (session_id, child["id"])}
    assert len(bound) == 1
    created = [frame.body["child_session_id"] for frame in stream.frames if frame.event == "session.created"]
    assert created == [child["id"]]

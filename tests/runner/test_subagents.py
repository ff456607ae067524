"""How agents set sub-agents to work, and what they are told of what came of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.rooms import Home
from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.inbox import Inbox, ReadInbox
from omnigent.runner.tools.registry import tools_of
from omnigent.runner.tools.subagents import SendToSession
from omnigent.spec.types import AgentSpec
from tests.runner.sessions_server import SPEC, Json, SessionsServer
from tests.runner.tool_rig import tool_context


def returned(number: int, result: str = "done") -> Json:
    resource = {"title": "one", "agent": "helper", "status": "completed", "result": result}
    return {
        "id": f"item_return{number}",
        "type": "resource_event",
        "event_type": "session.subagent.returned",
        "resource_id": "conv_child",
        "resource_type": "session",
        "resource": resource,
    }


def read_of(number: int, output: str) -> list[Json]:
    return [
        {
            "id": f"item_call{number}",
            "type": "function_call",
            "name": "sys_read_inbox",
            "call_id": f"c{number}",
            "arguments": "{}",
        },
        {
            "id": f"item_out{number}",
            "type": "function_call_output",
            "call_id": f"c{number}",
            "output": output,
        },
    ]


async def send(context: ToolContext, **arguments: Any) -> Json:
    answer: Json = json.loads(await SendToSession(context.spec).run(arguments, context))
    return answer


async def read(context: ToolContext) -> list[str]:
    return [one["id"] for one in json.loads(await ReadInbox().run({}, context))["results"]]


async def test_a_new_sub_agent_is_made_below_this_session_and_told_its_task(tmp_path: Path) -> None:
    server = SessionsServer()
    args = {"input": "look", "model": "m", "reasoning_effort": "low", "cost_budget": {"max_cost_usd": 2}}

    handle = await send(
        tool_context(tmp_path, server, spec=SPEC), agent="helper", title=" task  one ", args=args
    )

    assert handle == {
        "task_id": "conv_child",
        "conversation_id": "conv_child",
        "kind": "sub_agent",
        "agent": "helper",
        "title": "task one",
        "status": "launching",
    }
    assert server.to("/sessions") == [
        {
            "agent_id": "ag_1",
            "sub_agent_name": "helper",
            "model_override": "m",
            "reasoning_effort": "low",
            "title": "helper:task one",
            "parent_session_id": "conv_1",
        }
    ]
    [policy] = server.to("/policies")
    assert policy["handler"].endswith(".subagent_cost_budget")
    assert policy["factory_params"] == {"max_cost_usd": 2}
    [event] = server.to("/conv_child/events")
    assert event["data"].pop("stable_id")
    assert event == {
        "type": "message",
        "data": {"role": "user", "content": [{"type": "input_text", "text": "look"}], "dispatch": True},
    }
    assert all(key for *_, key in server.posted)


async def test_the_same_title_goes_to_the_session_that_has_it(tmp_path: Path) -> None:
    server = SessionsServer()
    server.children = [{"id": "conv_old", "tool": "helper", "session_name": "one", "busy": False}]

    handle = await send(tool_context(tmp_path, server, spec=SPEC), agent="helper", title="one", args="go on")

    assert handle["conversation_id"] == "conv_old"
    assert server.to("/sessions") == []
    assert len(server.to("/conv_old/events")) == 1


async def test_no_more_sub_agents_work_at_once_than_the_agent_allows(tmp_path: Path) -> None:
    server = SessionsServer()
    server.children = [{"id": "conv_old", "tool": "helper", "session_name": "one", "busy": True}]
    context = tool_context(tmp_path, server, spec=SPEC)

    with pytest.raises(ToolError, match="at most 1"):
        await send(context, agent="helper", title="two", args="go")
    assert (await send(context, agent="helper", title="one", args="and this"))[
        "conversation_id"
    ] == "conv_old"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"agent": "helper"}, "args", id="no-task"),
        pytest.param({"agent": "helper", "args": {"input": 3}}, "args", id="task-no-text"),
        pytest.param({"agent": "stranger", "args": "x"}, "helper", id="unknown-agent"),
        pytest.param({"args": "x"}, "agent", id="no-agent"),
        pytest.param({"agent": "helper", "args": {"input": "x", "file_ids": "f"}}, "file_ids", id="files"),
        pytest.param(
            {"agent": "helper", "args": {"input": "x", "reasoning_effort": "very"}}, "effort", id="effort"
        ),
    ],
)
async def test_a_task_that_cannot_be_read_reaches_nobody(tmp_path: Path, arguments: Json, said: str) -> None:
    server = SessionsServer()

    with pytest.raises(ToolError, match=said):
        await send(tool_context(tmp_path, server, spec=SPEC), **arguments)

    assert server.posted == []


async def test_a_task_that_a_policy_refuses_is_an_error(tmp_path: Path) -> None:
    server = SessionsServer(events=(202, {"queued": False, "denied": True, "reason": "not today"}))

    with pytest.raises(ToolError, match="Denied by policy: not today"):
        await send(tool_context(tmp_path, server, spec=SPEC), agent="helper", args="go")


async def test_each_result_is_given_once(tmp_path: Path) -> None:
    server = SessionsServer()
    server.items = [returned(1)]
    context = tool_context(tmp_path, server, spec=SPEC)

    assert await read(context) == ["item_return1"]
    assert await read(context) == []
    server.items += [*read_of(1, "… item_return1 …"), returned(2)]
    assert await read(context) == ["item_return2"]


async def test_a_runner_that_takes_over_knows_what_was_read(tmp_path: Path) -> None:
    server = SessionsServer()
    server.items = [returned(1), returned(2), *read_of(1, json.dumps({"results": [{"id": "item_return1"}]}))]

    assert await read(tool_context(tmp_path, server, spec=SPEC)) == ["item_return2"]


async def test_what_was_given_to_a_turn_that_was_cut_off_is_unread_again(tmp_path: Path) -> None:
    server = SessionsServer()
    server.items = [returned(1)]
    home = tool_context(tmp_path, server, spec=SPEC).rooms.home
    turns = iter([1, 1, 2])
    inbox = Inbox(
        Home(
            session_id=home.session_id,
            runtime=home.runtime,
            uplink=home.uplink,
            call_tool=home.call_tool,
            cancel_tool=home.cancel_tool,
            turn=lambda: next(turns),
        )
    )

    assert [len(await inbox.take()) for _ in range(3)] == [1, 0, 1]


async def test_a_result_is_cut_to_what_an_inbox_holds(tmp_path: Path) -> None:
    server = SessionsServer()
    server.items = [returned(1, "x" * 20_000)]

    answer = json.loads(await ReadInbox().run({}, tool_context(tmp_path, server, spec=SPEC)))

    assert len(answer["results"][0]["result"]) == 12_000


@pytest.mark.parametrize(
    ("spec", "has", "lacks"),
    [
        pytest.param(
            AgentSpec(name="bare", async_tools=False),
            {"sys_session_list", "sys_session_get_history", "sys_session_get_info", "sys_session_rename"}
            | {"sys_agent_list", "sys_agent_get", "sys_agent_download", "sys_cancel_task"},
            {"sys_session_send", "sys_session_create", "sys_session_share", "sys_read_inbox"}
            | {"sys_call_async", "sys_timer_set", "sys_list_models"},
            id="bare",
        ),
        pytest.param(
            SPEC,
            {"helper", "sys_session_send", "sys_session_close", "sys_list_models", "sys_read_inbox"},
            {"sys_session_create"},
            id="with-sub-agents",
        ),
        pytest.param(
            AgentSpec(name="s", spawn=True), {"sys_session_create", "sys_session_send"}, set(), id="spawn"
        ),
        pytest.param(
            AgentSpec(name="t", timers=True), {"sys_timer_set", "sys_timer_cancel"}, set(), id="timers"
        ),
        pytest.param(AgentSpec(name="o", sharing="public"), {"sys_session_share"}, set(), id="sharing"),
    ],
)
def test_the_specification_switches_tools_on(spec: AgentSpec, has: set[str], lacks: set[str]) -> None:
    names = set(tools_of(spec))

    assert has <= names
    assert not lacks & names

"""What the client does for a turn meanwhile: approvals, tools of its own, a look at every event."""

import asyncio
from typing import Any

import pytest

from omnigent_client import Approval, ClientTool, Verdict
from tests.client.fake_session import SESSION_ID, FakeSession, elicitation, running


async def test_an_approval_is_answered_where_it_belongs_while_the_message_is_held() -> None:
    session = FakeSession()
    session.holds_posts = True
    asked: list[Approval] = []

    async def decide(approval: Approval) -> Verdict:
        asked.append(approval)
        return Verdict(action="accept", content={"days": 3})

    async with session.client() as client:
        turn = asyncio.create_task(client.ask(SESSION_ID, "Hello", decide, within=10))
        await session.next_post()
        session.ask(mode="form", requestedSchema={"type": "object"}, policy_name="guard")
        session.ask()
        answered = await session.next_post()
        session.let_go.set()
        session.take_in()
        session.begin("resp_1")
        session.message("Approved.")
        session.end("resp_1")

        assert await turn == "Approved."
    assert answered == ("/elicitations/elicit_1/resolve", {"action": "accept", "content": {"days": 3}})
    [approval] = asked
    assert (approval.mode, approval.policy_name, approval.message) == ("form", "guard", "May I?")
    assert approval.requested_schema == {"type": "object"}


async def test_a_sub_agents_approval_is_answered_at_the_sub_agent() -> None:
    waiting = elicitation("elicit_7", target_session_id="conv_child")
    session = FakeSession(pending_elicitations=[waiting])
    async with session.client() as client:
        turn = asyncio.create_task(client.ask(SESSION_ID, "Hello", lambda approval: False, within=10))
        posts = dict([await session.next_post(), await session.next_post()])
        session.take_in()
        session.begin("resp_1")
        session.end("resp_1")
        await turn

    assert posts["/v1/sessions/conv_child/elicitations/elicit_7/resolve"] == {"action": "decline"}


async def test_an_approval_that_is_left_or_answered_elsewhere_is_not_resolved_here() -> None:
    session, started, cancelled = FakeSession(), asyncio.Event(), asyncio.Event()

    async def decide(approval: Approval) -> None:
        if approval.elicitation_id == "elicit_1":
            return
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with session.client() as client:
        turn = running(client, on_approval=decide)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.ask("elicit_1")
        session.ask("elicit_2")
        await asyncio.wait_for(started.wait(), 30)
        session.say("response.elicitation_resolved", elicitation_id="elicit_2", action="accept")
        await asyncio.wait_for(cancelled.wait(), 30)
        session.end("resp_1")
        await turn

    assert session.posted.empty()


async def test_what_an_approval_callback_raises_ends_the_call() -> None:
    session = FakeSession()

    def decide(approval: Approval) -> bool:
        raise LookupError("nobody is here")

    async with session.client() as client:
        turn = running(client, on_approval=decide)
        await session.next_post()
        session.ask()
        with pytest.raises(LookupError, match="nobody is here"):
            await turn
    assert session.posted.empty()


def add(a: int, b: int) -> int:
    return a + b


async def shout(text: str) -> str:
    return text.upper()


@pytest.mark.parametrize(
    ("name", "arguments", "output"),
    [
        ("add", '{"a": 1, "b": 2}', "3"),
        ("shout", '{"text": "hi"}', "HI"),
        ("add", '{"a": 1}', "Error: TypeError"),
        ("add", "[1, 2]", "Error: TypeError: arguments are a JSON object"),
        ("add", "{", "Error: JSONDecodeError"),
    ],
)
async def test_a_tool_of_the_client_is_run_and_its_output_sent(
    name: str, arguments: str, output: str
) -> None:
    tools = [ClientTool(name="add", run=add, description="Adds."), ClientTool(name="shout", run=shout)]
    session = FakeSession()
    async with session.client() as client:
        turn = running(client, tools=tools)
        _, message = await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.call("somebody_elses")
        session.call(name, "call_7", arguments)
        session.call(name, "call_7", arguments)
        path, posted = await session.next_post()
        session.end("resp_1")
        await turn

    assert [tool["name"] for tool in message["tools"]] == ["add", "shout"]
    assert message["tools"][0] == {
        "type": "function",
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {}},
    }
    assert (path, posted["type"], posted["data"]["call_id"]) == ("/events", "function_call_output", "call_7")
    assert posted["data"]["output"].startswith(output)
    assert session.posted.empty()


async def test_a_tool_call_that_is_no_longer_wanted_is_cancelled() -> None:
    session, started, cancelled = FakeSession(), asyncio.Event(), asyncio.Event()

    async def wait_for_ever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with session.client() as client:
        turn = running(client, tools=[ClientTool(name="wait", run=wait_for_ever)])
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.call("wait")
        await asyncio.wait_for(started.wait(), 30)
        session.say("response.client_task.cancel", call_id=None)
        await asyncio.wait_for(cancelled.wait(), 30)
        session.end("resp_1")
        await turn
    assert session.posted.empty()


async def test_every_event_is_shown_in_order_and_a_failing_look_ends_the_call() -> None:
    session, seen = FakeSession(), []

    def look(event: Any) -> None:
        seen.append(event.type)
        if event.type == "response.in_progress":
            raise LookupError("enough")

    async with session.client() as client:
        turn = running(client, on_event=look)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        with pytest.raises(LookupError, match="enough"):
            await turn

    assert seen == ["session.heartbeat", "session.input.consumed", "response.in_progress"]

"""Whole turns through the client, against real processes."""

import asyncio

import pytest

from omnigent_client import (
    Approval,
    OmnigentClient,
    RunnerUnavailableError,
    Session,
    TurnFailed,
    TurnInterrupted,
    TurnTimeout,
)
from omnigent_client.events import Event
from omnigent_client.events.response import OutputTextDelta, ResponseInProgress
from omnigent_client.turns.run import Request

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def new_session(client: OmnigentClient, **fields: str) -> Session:
    """A session with the scripted agent on the live host."""
    [agent] = [agent for agent in await client.agents.list_all() if agent.harness == "scripted"]
    return await client.sessions.create_from_agent_id(agent.id, host_id="auto", title=fields.get("title"))


async def test_send_returns_the_words_of_the_turn(client: OmnigentClient) -> None:
    session = await new_session(client)

    text = await client.send(session.id, "Count to 3", within=60)

    assert text.split() == ["1", "2", "3"]
    items = await client.sessions.all_items(session.id)
    assert [(item.type, item.role) for item in items] == [("message", "user"), ("message", "assistant")]
    assert items[1].text == text


async def test_a_turn_knows_its_item_its_response_and_its_messages(client: OmnigentClient) -> None:
    session = await new_session(client)

    turn = await client.sessions.run_turn(
        session.id, Request(content="Count to 2\nRun the shell command: echo hi"), within=60
    )

    items = await client.sessions.all_items(session.id)
    said = [item for item in items if item.role == "assistant"]
    assert turn.item_id == items[0].id
    assert {item.response_id for item in said} == {turn.response_id}
    assert turn.messages == tuple(item.text for item in said)
    assert turn.status == "completed"
    assert turn["usage"]["output_tokens"] >= 0


async def test_a_failed_turn_raises_what_the_server_says(client: OmnigentClient) -> None:
    session = await new_session(client)

    with pytest.raises(TurnFailed, match="no more paper"):
        await client.send(session.id, "Fail with no more paper", within=60)

    assert (await client.send(session.id, "Count to 1", within=60)).strip() == "1"


async def test_an_interrupted_turn_raises_with_the_words_so_far(client: OmnigentClient) -> None:
    session = await new_session(client)
    seen = asyncio.Event()

    async def look(event: Event) -> None:
        if isinstance(event, OutputTextDelta):
            seen.set()

    turn = asyncio.create_task(client.send(session.id, "Count to 1000 slowly", on_event=look, within=60))
    await asyncio.wait_for(seen.wait(), 30)
    await client.sessions.interrupt(session.id)

    with pytest.raises(TurnInterrupted) as raised:
        await turn
    assert raised.value.text.startswith("1 ")


async def test_a_turn_that_takes_too_long_goes_on_without_the_caller(client: OmnigentClient) -> None:
    session = await new_session(client)
    await client.send(session.id, "Count to 1", within=60)

    with pytest.raises(TurnTimeout):
        await client.send(session.id, "Count to 1000 slowly", within=1.5)

    assert (await client.sessions.get(session.id)).status == "running"
    await client.sessions.interrupt(session.id)


@pytest.mark.parametrize("answer", [True, False])
async def test_ask_answers_an_approval(client: OmnigentClient, answer: bool) -> None:
    session = await new_session(client)
    asked: list[Approval] = []

    def decide(approval: Approval) -> bool:
        asked.append(approval)
        return answer

    request = client.ask(session.id, "Ask me before running: echo allowed", decide, within=60)
    if answer:
        await request
    else:
        with pytest.raises(TurnInterrupted):
            await request

    [approval] = asked
    assert approval.session_id == session.id
    assert "echo allowed" in f"{approval.message} {approval.content_preview}"
    outputs = [
        item.payload["output"]
        for item in await client.sessions.all_items(session.id)
        if item.type == "function_call_output"
    ]
    assert [("allowed" in output) for output in outputs] == ([True] if answer else [])


async def test_a_message_that_steers_is_answered_with_the_turn_that_takes_it_in(
    client: OmnigentClient,
) -> None:
    session = await new_session(client)
    began = asyncio.Event()

    async def look(event: Event) -> None:
        if isinstance(event, ResponseInProgress):
            began.set()

    first = asyncio.create_task(client.send(session.id, "Count to 8 slowly", on_event=look, within=60))
    await asyncio.wait_for(began.wait(), 30)
    second = await client.send(session.id, "Run the shell command: echo steered", within=60)

    assert "8" in await first
    items = await client.sessions.all_items(session.id)
    assert any("steered" in str(item.payload.get("output")) for item in items)
    assert second.strip()


async def test_the_same_key_is_the_same_turn(client: OmnigentClient) -> None:
    session = await new_session(client)
    request = Request(content="Count to 3", idempotency_key="the-one-turn")
    first = await client.sessions.run_turn(session.id, request, within=60)

    again = await client.sessions.run_turn(session.id, request, within=60)

    assert (again.text, again.item_id, again.response_id) == (first.text, first.item_id, first.response_id)
    assert len(await client.sessions.all_items(session.id)) == 2


async def test_a_session_without_a_runner_refuses_at_once(client: OmnigentClient) -> None:
    [agent] = [agent for agent in await client.agents.list_all() if agent.harness == "scripted"]
    session = await client.sessions.create_from_agent_id(agent.id)

    with pytest.raises(RunnerUnavailableError) as raised:
        await client.send(session.id, "Anybody?", within=30)

    assert (raised.value.status, raised.value.code) == (503, "runner_unavailable")
    assert await client.sessions.all_items(session.id) == ()

"""A turn asked for again with the same key, when most of its events came before the stream began."""

from typing import Any

import pytest

from omnigent_client import TurnFailed, TurnInterrupted
from tests.client.fake_session import FakeSession, Seen, running, said
from tests.client.scripted_server import HEARTBEAT

KEY = "the-one-turn"
MINE = said("Mine.", "item_2", response_id="resp_1")


def user(item_id: str) -> dict[str, Any]:
    """Somebody's message as an item."""
    return {"id": item_id, "type": "message", "role": "user", "content": [], "response_id": item_id}


def error(response_id: str) -> dict[str, Any]:
    """Why a response failed, as an item."""
    data = {"code": "no_paper", "message": "no more paper"}
    return {"id": "item_3", "type": "error", "response_id": response_id, **data}


@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_a_rest_that_is_all_that_was_still_to_come_ends_the_turn(is_answered_first: bool) -> None:
    session = FakeSession(resume_after=7, status="running", active_response_id="resp_1")
    session.items = [MINE]
    session.holds_posts = not is_answered_first
    async with session.client() as client:
        seen = Seen()
        turn = running(client, idempotency_key=KEY, on_event=seen)
        await session.next_post()
        if is_answered_first:
            # The session is asked once more then, and still says that it runs.
            await session.wait_for_snapshots(2)
        session.snapshot |= {"status": "idle", "active_response_id": None, "resume_after": 8}
        session.status("idle")
        await seen.wait("session.status")
        session.let_go.set()
        found = await turn

    assert (found.text, found.item_id, found.response_id) == ("Mine.", "item_1", "resp_1")
    assert found.status == "completed"


async def test_a_turn_that_was_over_before_the_stream_began_is_found_without_an_event() -> None:
    session = FakeSession(resume_after=9)
    session.items = [MINE]
    async with session.client() as client:
        found = await running(client, idempotency_key=KEY)

    assert (found.text, found.item_id, found.response_id) == ("Mine.", "item_1", "resp_1")


async def test_a_turn_whose_beginning_was_missed_ends_with_its_own_end() -> None:
    session = FakeSession(resume_after=7, status="running", active_response_id="resp_1")
    async with session.client() as client:
        turn = running(client, idempotency_key=KEY)
        await session.next_post()
        await session.wait_for_snapshots(2)
        session.items = [MINE]
        session.message("Mine.", response_id="resp_1")
        session.end("resp_1", "incomplete", usage={"output_tokens": 5})
        session.snapshot |= {"status": "idle", "active_response_id": None, "resume_after": 10}
        session.status("idle")
        found = await turn

    assert (found.text, found.status, found["usage"]) == ("Mine.", "incomplete", {"output_tokens": 5})


async def test_a_heartbeat_finds_the_end_when_something_else_came_after_the_rest() -> None:
    session = FakeSession(resume_after=7, status="running", active_response_id="resp_1")
    session.items = [MINE]
    async with session.client() as client:
        turn = running(client, idempotency_key=KEY)
        await session.next_post()
        await session.wait_for_snapshots(2)
        session.status("idle")
        await session.wait_for_snapshots(3)
        session.snapshot |= {"status": "idle", "active_response_id": None, "resume_after": 9}
        session.send(HEARTBEAT)

        assert (await turn).text == "Mine."


@pytest.mark.parametrize(
    ("items", "snapshot", "kind"),
    [
        ([said("Mi", interrupted=True)], {}, TurnInterrupted),
        ([], {}, TurnInterrupted),
        (
            [error("resp_1")],
            {"status": "failed", "last_task_error": {"message": "no more paper"}},
            TurnFailed,
        ),
        ([], {"status": "failed", "last_task_error": {"item_id": "item_1", "message": "gone"}}, TurnFailed),
        ([error("resp_1"), user("item_4"), said("Other.", "item_5", response_id="resp_2")], {}, TurnFailed),
    ],
)
async def test_a_turn_that_ended_badly_does_so_again(
    items: list[dict[str, Any]], snapshot: dict[str, Any], kind: type[Exception]
) -> None:
    session = FakeSession(resume_after=9, **snapshot)
    session.items = items
    async with session.client() as client:
        with pytest.raises(kind):
            await running(client, idempotency_key=KEY)


@pytest.mark.parametrize(
    ("later", "snapshot"),
    [
        ([user("item_4"), said("Other.", "item_5", response_id="resp_2")], {}),
        (
            [user("item_4"), said("Other.", "item_5", response_id="resp_2")],
            {"status": "failed", "last_task_error": {"item_id": "item_4", "message": "not mine"}},
        ),
        ([user("item_4")], {"status": "running", "active_response_id": "resp_2"}),
        ([user("item_4")], {"status": "running"}),
    ],
)
async def test_what_later_messages_brought_about_is_not_the_turns(
    later: list[dict[str, Any]], snapshot: dict[str, Any]
) -> None:
    session = FakeSession(resume_after=9, **snapshot)
    session.items = [MINE, *later]
    async with session.client() as client:
        found = await running(client, idempotency_key=KEY)

    assert (found.text, found.response_id, found.status) == ("Mine.", "resp_1", "completed")


async def test_what_the_turn_said_after_it_was_steered_is_its_own() -> None:
    session = FakeSession(resume_after=9)
    session.items = [MINE, user("item_4"), said("More.", "item_5", response_id="resp_1")]
    async with session.client() as client:
        found = await running(client, idempotency_key=KEY)

    assert found.messages == ("Mine.", "More.")


async def test_a_new_message_with_a_key_is_not_mistaken_for_an_earlier_one() -> None:
    session = FakeSession(resume_after=7)
    session.holds_posts = True
    async with session.client() as client:
        turn = running(client, idempotency_key=KEY)
        await session.next_post()
        session.snapshot |= {"status": "running", "resume_after": 9}
        session.let_go.set()
        await session.wait_for_snapshots(2)
        session.status("idle")
        session.take_in()
        session.begin("resp_1")
        session.message("New.", "item_2")
        session.end("resp_1", usage={"output_tokens": 5})
        found = await turn

    assert (found.text, found["usage"]) == ("New.", {"output_tokens": 5})

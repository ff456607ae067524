"""Which events make a turn, how it ends, and what the client does for it meanwhile."""

import asyncio
from typing import Any

import httpx
import pytest

from omnigent_client import (
    AccessLostError,
    ConnectionFailedError,
    RunnerUnavailableError,
    TurnDenied,
    TurnFailed,
    TurnInterrupted,
    TurnTimeout,
)
from tests.client.fake_session import SESSION_ID, FakeSession, Seen, running, said
from tests.client.scripted_server import DONE, HEARTBEAT, frame, refusal


async def test_the_answer_is_what_was_said_between_the_message_and_its_end() -> None:
    session = FakeSession(resume_after=7)
    async with session.client() as client:
        turn = running(client)
        path, body = await session.next_post()
        session.status("idle")
        session.take_in()
        session.status("running")
        session.begin("resp_1")
        session.message("Let me look.", "item_2")
        session.message("  ", "item_3")
        session.message("Here it is.", "item_4")
        session.message("Here it is.", "item_4")
        session.end("resp_1", usage={"output_tokens": 5})
        session.status("idle")
        found = await turn

    assert path == "/events"
    assert body["data"] == {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    assert session.opened == ["7"]
    assert found.messages == ("Let me look.", "Here it is.")
    assert found.text == "Let me look.\n\nHere it is."
    assert (found.item_id, found.response_id, found.status) == ("item_1", "resp_1", "completed")
    assert found["usage"] == {"output_tokens": 5}


async def test_text_that_comes_only_in_pieces_counts() -> None:
    session = FakeSession()
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        for piece in ("Hel", "lo"):
            session.say("response.output_text.delta", delta=piece)
        session.end("resp_1", "incomplete", incomplete_details={"reason": "max_output_tokens"})
        found = await turn

    assert (found.text, found.status) == ("Hello", "incomplete")


async def test_a_turn_that_is_over_before_the_post_is_answered_is_not_missed() -> None:
    session = FakeSession()
    session.holds_posts = True
    async with session.client() as client:
        seen = Seen()
        turn = running(client, on_event=seen)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.message("Quick.")
        session.end("resp_1")
        await seen.wait("response.completed")
        session.let_go.set()

        assert (await turn).text == "Quick."


async def test_a_steered_turn_is_answered_by_the_response_that_takes_the_message_in() -> None:
    session = FakeSession(active_response_id="resp_0", status="running")
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.message("of the other turn", "item_0")
        session.take_in()
        session.message("Steered.")
        session.end("resp_0")
        session.status("idle")

        assert ((await turn).text, (await turn).response_id) == ("Steered.", "resp_0")


@pytest.mark.parametrize("how", ["completed", "cancelled"])
async def test_a_message_that_could_not_steer_is_answered_by_the_next_response(how: str) -> None:
    session = FakeSession(active_response_id="resp_0", status="running")
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.message("of the other turn", "item_0")
        session.end("resp_0", how)
        session.status("running")
        session.begin("resp_1")
        session.message("Mine.")
        session.end("resp_1")
        session.status("idle")

        assert ((await turn).text, (await turn).response_id) == ("Mine.", "resp_1")


async def test_a_message_whose_own_response_never_begins_has_failed() -> None:
    session = FakeSession(active_response_id="resp_0", status="running")
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.end("resp_0")
        session.status("running")
        session.status("failed", error={"code": "runner_disconnected", "message": "gone"})
        with pytest.raises(TurnFailed, match="gone"):
            await turn


async def test_a_message_that_is_held_for_long_is_asked_about_again() -> None:
    session = FakeSession()
    session.timeouts = 10
    async with session.client() as client:
        turn = running(client)
        for _ in range(11):
            await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.message("At last.")
        session.end("resp_1")

        assert (await turn).text == "At last."


async def test_a_failed_response_raises_its_error() -> None:
    session = FakeSession()
    error = {"code": "RuntimeError", "message": "the model went away", "title": None}
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.message("So far.")
        session.end("resp_1", "failed", error=error)
        with pytest.raises(TurnFailed, match="the model went away") as raised:
            await turn

    assert (raised.value.code, raised.value.text, raised.value.response_id) == (
        "RuntimeError",
        "So far.",
        "resp_1",
    )
    assert raised.value.error == error


async def test_a_session_that_fails_without_a_response_raises_why() -> None:
    session = FakeSession()
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.status("failed", error={"code": "runner_disconnected", "message": "the runner is gone"})
        with pytest.raises(TurnFailed, match="runner_disconnected: the runner is gone"):
            await turn


async def test_an_interrupt_raises_with_and_without_a_response() -> None:
    for has_response in (True, False):
        session = FakeSession()
        async with session.client() as client:
            turn = running(client)
            await session.next_post()
            session.take_in()
            session.status("running")
            session.say("session.interrupted", data={"requested_at": 1, "response_id": None})
            if has_response:
                session.begin("resp_1")
                session.end("resp_1", "cancelled")
            session.status("idle")
            with pytest.raises(TurnInterrupted):
                await turn


async def test_a_denied_message_raises_the_reason() -> None:
    session = FakeSession()
    session.answer = {"queued": False, "denied": True, "reason": "no secrets"}
    async with session.client() as client:
        with pytest.raises(TurnDenied, match="no secrets"):
            await running(client)


async def test_a_refused_message_raises_the_refusal() -> None:
    session = FakeSession()
    session.refusal = refusal(503, "runner_unavailable", "No runner bound for session")
    async with session.client() as client:
        with pytest.raises(RunnerUnavailableError, match="No runner bound"):
            await running(client)


async def test_a_reset_in_the_middle_is_made_up_for_from_the_items() -> None:
    session = FakeSession()
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.message("lost", "item_9")
        session.snapshot |= {"status": "running", "active_response_id": "resp_2"}
        session.items = [said("Stored meanwhile.", response_id="resp_2")]
        session.send(frame("stream.reset", conversation_id=SESSION_ID, reason="too old", resume_after=50))
        session.send(frame("response.output_item.done", 51, item=said("The rest.", "item_3")))
        session.send(frame("response.completed", 52, response={"id": "resp_2", "status": "completed"}))
        found = await turn

    assert found.messages == ("Stored meanwhile.", "The rest.")
    assert found.response_id == "resp_2"


@pytest.mark.parametrize(
    ("snapshot", "items", "kind"),
    [
        ({"status": "idle"}, [said("Done.")], None),
        ({"status": "waiting"}, [said("Done.")], None),
        ({"status": "idle"}, [said("Don", interrupted=True)], TurnInterrupted),
        ({"status": "failed", "last_task_error": {"item_id": "item_1", "message": "broke"}}, [], TurnFailed),
    ],
)
async def test_an_end_that_no_event_told_is_found_by_asking(
    snapshot: dict[str, Any], items: list[dict[str, Any]], kind: type[Exception] | None
) -> None:
    session = FakeSession()
    async with session.client() as client:
        seen = Seen()
        turn = running(client, on_event=seen)
        await session.next_post()
        session.snapshot |= snapshot
        session.items = items
        while not turn.done():
            # Until the post's answer has been taken in, a heartbeat has nothing to ask about.
            await asyncio.wait(
                [turn, asyncio.ensure_future(seen.wait("session.heartbeat"))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            session.send(HEARTBEAT)
        if kind is None:
            assert (await turn).text == "Done."
        else:
            with pytest.raises(kind):
                await turn


async def test_a_message_that_waits_for_a_program_is_no_item_to_ask_after() -> None:
    session = FakeSession(pending_inputs=[{"pending_id": "pending_1", "content": []}])
    session.answer |= {"pending_id": "pending_1"}
    session.no_items = httpx.Response(
        400, json={"error": {"code": "stale_cursor", "message": "no such item"}}
    )
    async with session.client() as client:
        seen = Seen()
        turn = running(client, on_event=seen)
        await session.next_post()
        while session.snapshots < 2:
            # Until the post's answer has been taken in, a heartbeat has nothing to ask about.
            session.send(HEARTBEAT)
            await seen.wait("session.heartbeat")
        session.snapshot["pending_inputs"] = []
        session.no_items = None
        session.status("running")
        session.begin("resp_1")
        session.take_in()
        session.message("Typed and done.")
        session.end("resp_1")
        session.status("idle")

        assert (await turn).text == "Typed and done."


async def test_an_old_failure_or_a_rest_is_no_end_of_a_turn_that_has_not_begun() -> None:
    session = FakeSession(status="failed", last_task_error={"item_id": "item_0", "message": "old"})
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        for _ in range(3):
            session.send(HEARTBEAT)
        session.take_in()
        session.status("idle")
        session.send(HEARTBEAT)
        session.status("running")
        session.begin("resp_1")
        session.message("New.")
        session.end("resp_1")

        assert (await turn).text == "New."


async def test_a_connection_that_breaks_is_taken_up_again() -> None:
    session = FakeSession()
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.message("Still ")
        session.hang_up()
        session.message("here.", "item_3")
        session.end("resp_1")

        assert (await turn).messages == ("Still ", "here.")
    assert session.opened == ["0", "3.1"]


async def test_a_server_that_cannot_resume_gets_the_message_after_its_first_event() -> None:
    session = FakeSession(resume_after=None)
    session.may_stream.clear()
    async with session.client() as client:
        turn = running(client)
        await asyncio.wait_for(session.stream_asked.wait(), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.posted.get(), 0.1)
        session.may_stream.set()
        await session.next_post()
        assert session.opened == [None]
        session.take_in()
        session.begin("resp_1")
        session.message("Hi.")
        session.end("resp_1")

        assert (await turn).text == "Hi."


@pytest.mark.parametrize(("is_gone", "kind"), [(True, AccessLostError), (False, ConnectionFailedError)])
async def test_a_stream_that_ends_first_says_why(is_gone: bool, kind: type[Exception]) -> None:
    session = FakeSession()
    async with session.client() as client:
        turn = running(client)
        await session.next_post()
        session.is_gone = is_gone
        session.send(DONE)
        with pytest.raises(kind):
            await turn


async def test_a_time_limit_raises_with_the_words_so_far() -> None:
    session = FakeSession()
    async with session.client() as client:
        turn = asyncio.create_task(client.send(SESSION_ID, "Hello", within=0.3))
        await session.next_post()
        session.take_in()
        session.begin("resp_1")
        session.message("So far.")
        with pytest.raises(TurnTimeout) as raised:
            await turn

    assert raised.value.text == "So far."

"""POST /v1/sessions/{session_id}/events, sentence by sentence of the published documentation."""

import asyncio

import httpx

from omnigent_client import OmnigentClient
from tests.e2e.api import Api, message, of_type, texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack


def test_message_persists_a_user_message_and_starts_a_turn(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)

    answer = stack.api.post(session_id, message("Hello"))
    stream.wait_settled()

    assert answer.status_code == httpx.codes.ACCEPTED
    assert set(answer.json()) == {"queued", "item_id"}
    assert (answer.json()["queued"], answer.json()["item_id"][:5]) == (True, "item_")
    assert stack.api.items(session_id)[0]["id"] == answer.json()["item_id"]


def test_message_steers_a_running_turn(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)
    stack.api.message(session_id, "Count to 15 slowly")
    stream.wait_event("response.output_text.delta")

    stack.api.message(session_id, "Hello meanwhile")
    stream.wait_settled()

    assert "cancelled" not in " ".join(stream.types())
    assert any("Hello meanwhile" in text for text in texts(stack.api.items(session_id), "assistant"))


def test_interrupt_cancels_the_active_turn_and_publishes_it(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)
    stack.api.message(session_id, "Count to 500 slowly")
    stream.wait_event("response.output_text.delta")

    answer = stack.api.post(session_id, {"type": "interrupt"})
    stream.wait_settled()

    assert (answer.status_code, answer.json()) == (httpx.codes.ACCEPTED, {"queued": False})
    assert "session.interrupted" in stream.types()
    assert stack.api.snapshot(session_id)["status"] == "idle"


def test_approval_resolves_an_outstanding_elicitation_in_band(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)
    stack.api.message(session_id, "Ask me before running: echo approved")
    stream.wait_event("response.elicitation_request")
    [asked] = stack.api.snapshot(session_id)["pending_elicitations"]

    verdict = {"elicitation_id": asked["elicitation_id"], "action": "accept"}
    answer = stack.api.post(session_id, {"type": "approval", "data": verdict})
    stream.wait_settled()

    assert (answer.status_code, answer.json()) == (httpx.codes.ACCEPTED, {"queued": False})
    assert stack.api.snapshot(session_id)["pending_elicitations"] == []
    [output] = of_type(stack.api.items(session_id), "function_call_output")
    assert "approved" in output["output"]


def test_compact_triggers_explicit_context_compaction(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)
    for turns, text in enumerate(("Hello", "Again"), start=1):
        stack.api.message(session_id, text)
        stream.wait_settled(turns=turns)

    answer = stack.api.post(session_id, {"type": "compact"})

    assert (answer.status_code, answer.json()) == (httpx.codes.ACCEPTED, {"queued": False})
    stream.wait_event("response.compaction.completed")
    assert len(of_type(stack.api.items(session_id), "compaction")) == 1


def test_type_is_required(api: Api) -> None:
    session_id = api.create()["id"]

    assert api.post(session_id, {"data": {}}).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_model_override_holds_for_the_resulting_turn(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)

    stack.api.post(session_id, {**message("Hello"), "model_override": "model-of-this-turn"})
    stream.wait_settled()
    stack.api.message(session_id, "Again")
    stream.wait_settled(turns=2)

    models = [frame.body["model"] for frame in stream.frames if frame.event == "session.model"]
    assert models[0] == "model-of-this-turn"
    assert models[-1] != "model-of-this-turn"


def test_the_python_sample_runs_as_it_is_printed(stack: Stack) -> None:
    """The calls of the sample in their order, with ids that exist."""
    session_id = stack.api.create()["id"]
    runner_id = stack.api.create()["runner_id"]
    stack.wait_runner(runner_id)
    stream = stack.stream(session_id)

    async def sample() -> None:
        async with OmnigentClient(base_url=stack.url, token=stack.token or None) as client:
            sessions = await client.sessions.list()
            session = await client.sessions.get(session_id)
            await client.sessions.post_event(session_id, message("Hello!"))
            await asyncio.to_thread(stream.wait_settled)
            items = await client.sessions.list_items(session_id)
            fork_data = await client.sessions.fork(
                session_id, title="My fork", up_to_response_id=items[-1].response_id
            )
            await client.sessions.interrupt(session_id)
            await client.sessions.compact(session_id)
            updated = await client.sessions.bind_runner(session_id, runner_id=runner_id)

            assert session_id in [row.id for row in sessions]
            assert session.id == session_id
            assert fork_data["title"] == "My fork"
            assert updated["runner_id"] == runner_id

    asyncio.run(sample())
    wait_for(
        lambda: stack.api.snapshot(session_id)["status"] == "idle", seconds=20, what="the session at rest"
    )

"""A turn through host, runner, log and stream, in real processes."""

import uuid

import httpx

from tests.e2e.api import message, of_type, texts
from tests.e2e.order import assert_ordered, assert_same_as_items
from tests.e2e.stack import Stack


def test_a_shell_command_streams_as_a_whole_turn(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])

    item_id = stack.api.message(session["id"], "Run the shell command: echo hi")
    stream.wait_settled()

    types = [event for event in stream.types() if event != "response.output_text.delta"]
    assert types.index("session.input.consumed") < types.index("response.in_progress")
    assert types.index("response.in_progress") < types.index("response.output_item.done")
    assert types.index("session.usage") < types.index("response.completed")
    assert types[-1] == "session.status"
    items = stack.api.items(session["id"])
    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output", "message"]
    assert items[0]["id"] == item_id
    assert items[1]["name"] == "sys_os_shell"
    assert items[1]["call_id"] == items[2]["call_id"]
    assert "hi" in items[2]["output"]
    assert stream.text == texts(items, "assistant")[-1]
    assert_ordered(stream.frames)


def test_the_command_runs_in_the_workspace_of_the_session(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])

    stack.api.message(session["id"], "Run the shell command: pwd")
    stream.wait_settled()

    [output] = of_type(stack.api.items(session["id"]), "function_call_output")
    assert session["workspace"] in output["output"]


def test_a_snapshot_and_the_rest_of_the_log_make_the_whole(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])

    stack.api.message(session["id"], "Hello")
    stream.wait_settled()

    snapshot = stack.api.snapshot(session["id"])
    flat = stack.api.items(session["id"])
    assert [item["id"] for item in snapshot["items"]] == [item["id"] for item in flat]
    assert snapshot["status"] == "idle"
    assert snapshot["resume_after"] == stream.last_id
    assert snapshot["active_response_id"] is None


def test_the_log_reads_back_as_it_was_streamed(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"], after=0)
    stack.api.message(session["id"], "Run the shell command: echo one; echo two")
    stream.wait_settled()

    again = stack.stream(session["id"], after=0)
    again.wait_settled()

    assert [(frame.id, frame.event, frame.data) for frame in again.logged] == [
        (frame.id, frame.event, frame.data) for frame in stream.logged
    ]


def test_two_sessions_stream_at_once_without_mixing(stack: Stack) -> None:
    first, second = stack.api.create(), stack.api.create()
    streams = [stack.stream(first["id"]), stack.stream(second["id"])]

    stack.api.message(first["id"], "Count to 8 slowly")
    stack.api.message(second["id"], "Run the shell command: echo other")
    for stream in streams:
        stream.wait_settled()

    for session, stream in zip((first, second), streams, strict=True):
        assert_ordered(stream.frames)
        assert_same_as_items(stream.frames, stack.api.items(session["id"]))
    assert "other" not in streams[0].text


def test_parallel_calls_each_get_their_own_answer(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])

    stack.api.message(session["id"], "Call 3 tools at once")
    stream.wait_settled()

    items = stack.api.items(session["id"])
    calls = [item["call_id"] for item in of_type(items, "function_call")]
    outputs = [item["call_id"] for item in of_type(items, "function_call_output")]
    assert len(calls) == 3
    assert sorted(calls) == sorted(outputs)
    assert_ordered(stream.frames)


def test_a_failed_turn_says_why_and_the_next_one_works(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])

    stack.api.message(session["id"], "Fail with a broken pipe")
    stream.wait_status("failed")

    snapshot = stack.api.snapshot(session["id"])
    assert snapshot["status"] == "failed"
    assert "broken pipe" in snapshot["last_task_error"]["message"]
    assert len(of_type(stack.api.items(session["id"]), "error")) == 1

    stack.api.message(session["id"], "Hello again")
    stream.wait_settled(turns=2)

    snapshot = stack.api.snapshot(session["id"])
    assert (snapshot["status"], snapshot["last_task_error"]) == ("idle", None)


def test_the_same_key_is_one_message(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])
    key = uuid.uuid4().hex

    answers = [stack.api.post(session["id"], message("Only once"), key=key) for _ in range(3)]
    stream.wait_settled()

    assert {answer.status_code for answer in answers} == {httpx.codes.ACCEPTED}
    assert len({answer.json()["item_id"] for answer in answers}) == 1
    assert texts(stack.api.items(session["id"]), "user") == ["Only once"]


def test_a_session_without_host_and_runner_refuses_a_message(stack: Stack) -> None:
    session = stack.api.create(host_id=None)

    answer = stack.api.post(session["id"], message("Anybody?"))

    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["error"]["code"] == "runner_unavailable"
    assert stack.api.items(session["id"]) == []


def test_a_client_of_one_replica_sees_a_tunnel_held_by_another(stack: Stack) -> None:
    apis = [stack.api_of(index) for index in range(len(stack.ports))]
    session = apis[0].create()
    streams = [stack.stream(session["id"], url=api.url) for api in apis]

    for turn, api in enumerate(apis, start=1):
        api.message(session["id"], f"Run the shell command: echo turn {turn}")
        for stream in streams:
            stream.wait_settled(turns=turn)

    logs = [[(frame.id, frame.event, frame.data) for frame in stream.logged] for stream in streams]
    assert all(log == logs[0] for log in logs)
    assert len(of_type(apis[-1].items(session["id"]), "function_call_output")) == len(apis)

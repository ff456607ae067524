"""Reloading, reconnecting and reading slowly while a turn runs."""

from tests.e2e.api import texts
from tests.e2e.order import assert_ordered
from tests.e2e.stack import Stack
from tests.e2e.stream import Stream, assert_no_gap


def test_a_reload_in_the_middle_of_a_turn_misses_nothing(stack: Stack) -> None:
    session = stack.api.create()
    before = stack.stream(session["id"])
    stack.api.message(session["id"], "Count to 30 slowly")
    before.wait_event("response.output_text.delta", count=5)

    snapshot = stack.api.snapshot(session["id"])
    reloaded = stack.stream(session["id"], after=snapshot["resume_after"])
    before.wait_settled()
    reloaded.wait_settled()

    final = texts(stack.api.items(session["id"]), "assistant")[-1]
    shown = "".join(
        block.get("text", "")
        for item in snapshot["items"]
        if item["type"] == "message" and item["data"]["role"] == "assistant"
        for block in item["data"]["content"]
    )
    assert shown + reloaded.text == final
    assert before.text == final
    assert_no_gap(reloaded.frames)


def test_a_stream_that_is_cut_many_times_is_the_log(stack: Stack) -> None:
    session = stack.api.create()
    broken = stack.stream(session["id"], after=0)
    stack.api.message(session["id"], "Count to 30 slowly")

    for deltas in (2, 6, 12, 18):
        broken.wait_event("response.output_text.delta", count=deltas)
        seen = broken.connections
        broken.cut()
        broken.wait_connected(count=seen + 1)
    broken.wait_settled()

    whole = stack.stream(session["id"], after=0)
    whole.wait_settled()
    assert broken.connections >= 5
    assert [(frame.id, frame.data) for frame in broken.logged] == [
        (frame.id, frame.data) for frame in whole.logged
    ]
    assert_ordered(broken.frames)


def test_a_late_reader_without_a_cursor_gets_the_text_so_far(stack: Stack) -> None:
    session = stack.api.create()
    first = stack.stream(session["id"])
    stack.api.message(session["id"], "Count to 30 slowly")
    first.wait_event("response.output_text.delta", count=8)

    late = stack.stream(session["id"])
    late.wait_settled()
    first.wait_settled()

    assert late.text == first.text == texts(stack.api.items(session["id"]), "assistant")[-1]


def test_a_cursor_ahead_of_the_log_is_reset(stack: Stack) -> None:
    session = stack.api.create()

    stream = stack.stream(session["id"], after=999_999)
    stream.wait_event("stream.reset")

    assert stream.frames[0].event in ("session.heartbeat", "stream.reset")


def test_closing_the_stream_does_not_interrupt_the_turn(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], "Count to 10 slowly")
    stream.wait_event("response.output_text.delta", count=2)

    stream.close()

    stack.api.wait_status(session["id"], "idle", seconds=20)
    assert "10" in texts(stack.api.items(session["id"]), "assistant")[-1]


def test_a_slow_reader_gets_everything_and_holds_nobody_up(stack: Stack) -> None:
    session = stack.api.create()
    quick = stack.stream(session["id"], after=0)
    slow = stack.open(Stream(stack.url, session["id"], after=0, read_pause=0.2))
    slow.wait_connected()

    stack.api.message(session["id"], "Count to 30 slowly")
    quick.wait_settled()
    slow.wait_settled(seconds=60)

    assert [(frame.id, frame.data) for frame in slow.logged] == [
        (frame.id, frame.data) for frame in quick.logged
    ]

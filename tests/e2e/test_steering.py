"""A message or an interrupt while a turn runs."""

from tests.e2e.api import texts
from tests.e2e.order import assert_ordered
from tests.e2e.stack import Stack


def test_a_message_during_a_turn_steers_and_cancels_nothing(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], "Count to 20 slowly")
    stream.wait_event("response.output_text.delta", count=3)

    stack.api.message(session["id"], "Run the shell command: echo steered")
    stream.wait_event("session.input.consumed", count=2)
    stream.wait(
        lambda frames: any("steered" in frame.data and "output" in frame.data for frame in frames),
        seconds=30,
        what="the second message acted upon",
    )
    stack.api.wait_status(session["id"], "idle", seconds=30)

    assert "response.cancelled" not in stream.types()
    assert texts(stack.api.items(session["id"]), "user") == [
        "Count to 20 slowly",
        "Run the shell command: echo steered",
    ]
    assert "20" in stream.text
    assert_ordered(stream.frames)


def test_an_interrupt_ends_the_turn_and_keeps_the_words(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], "Count to 200 slowly")
    stream.wait_event("response.output_text.delta", count=5)

    stack.api.interrupt(session["id"])
    stream.wait_event("response.cancelled")
    stream.wait_settled()

    types = stream.types()
    assert types.index("session.interrupted") < types.index("response.cancelled")
    assert stack.api.snapshot(session["id"])["status"] == "idle"
    words = texts(stack.api.items(session["id"]), "assistant")
    assert words and words[0] == stream.text
    assert "200" not in words[0]


def test_an_interrupt_before_the_first_event_still_ends_the_turn(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])

    stack.api.message(session["id"], "Think for 60 seconds")
    stack.api.interrupt(session["id"])

    stack.api.wait_status(session["id"], "idle", seconds=20)
    stack.api.message(session["id"], "Hello")
    stream.wait(
        lambda frames: any(frame.event == "response.completed" for frame in frames),
        seconds=20,
        what="the next turn completed",
    )


def test_an_interrupt_ends_a_running_command(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], "Run the shell command: sleep 60")
    stream.wait(
        lambda frames: any('"function_call"' in frame.data for frame in frames),
        seconds=20,
        what="the call announced",
    )

    stack.api.interrupt(session["id"])

    stream.wait_event("response.cancelled", seconds=10)
    stack.api.wait_status(session["id"], "idle", seconds=10)


def test_an_interrupt_of_an_idle_session_changes_nothing(stack: Stack) -> None:
    session = stack.api.create()
    stream = stack.stream(session["id"])
    stack.api.message(session["id"], "Hello")
    stream.wait_settled()

    stack.api.interrupt(session["id"])
    stream.wait_event("session.interrupted")

    assert stack.api.snapshot(session["id"])["status"] == "idle"
    assert "response.cancelled" not in stream.types()

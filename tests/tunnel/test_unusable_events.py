"""A runner may send anything: what cannot be stored is left out, and nobody else is held up by it."""

from typing import Any

import pytest

from sessions_app.services import commit
from tests.tunnel.feed import Feed
from tests.tunnel.script import (
    Json,
    call,
    item_done,
    output,
    question,
    response,
    row,
    said,
    status,
    stored,
    text,
    types,
)

pytestmark = pytest.mark.django_db

LONG = "x" * 5000
HUGE = 2**64 - 1
HUGER = 10**30
BAD = {
    "response is empty": {"type": "response.in_progress", "response": {}},
    "response id is a list": {"type": "response.in_progress", "response": {"id": [1]}},
    "response id is long": response("in_progress", LONG),
    "response id has a nul": response("in_progress", "a\0b"),
    "error is text": response("failed", error="boom"),
    "error is a list": response("failed", error=[1]),
    "error code is long": response("failed", error={"code": LONG, "message": "m"}),
    "error words are numbers": response("failed", error={"code": 1, "message": 2, "title": 3, "cause": {}}),
    "error has a nul": response("failed", error={"code": "a\0", "message": "b\0"}),
    "error has a surrogate": response("failed", error={"code": "c", "message": "\\ud800"}),
    "status error is text": status("failed", error={"message": None}),
    "status error has a nul": status("failed", error={"code": "a\0b", "message": "c\0d"}),
    "status is unknown": status("on fire"),
    "status is launching": status("launching"),
    "usage is text": response("completed", usage="much"),
    "usage is huge": response("completed", usage={"total_tokens": HUGE, "context_tokens": HUGE}),
    "usage is huger": response("completed", usage={"total_tokens": HUGER, "context_tokens": HUGER}),
    "usage is negative": response("completed", usage={"total_tokens": -5, "context_tokens": -1}),
    "usage has odd types": response("completed", usage={"model": [1], "total_tokens": "5"}),
    "usage model is long": response("completed", usage={"model": LONG, "total_tokens": 5}),
    "model is long": {"type": "session.model", "model": LONG},
    "model has a nul": {"type": "session.model", "model": "a\0b"},
    "item without a type": item_done({}),
    "item type is a list": item_done({"type": ["message"]}),
    "item is unknown": item_done({"type": "hologram", "status": "completed"}),
    "item without its fields": item_done({"type": "function_call", "status": "completed"}),
    "item with a nul": output(result="a\0b"),
    "call id is long": call(LONG),
    "message with bad content": item_done({"type": "message", "role": "assistant", "content": "x"}),
    "question id is long": question(LONG),
    "question with a nul": {**question("elicit_n"), "params": {"message": "a\0b"}},
    "question without params": {"type": "response.elicitation_request", "elicitation_id": "e"},
    "resolved with a bad action": {
        "type": "response.elicitation_resolved", "elicitation_id": "e", "action": "maybe",
    },
    "text is a number": {"type": "response.output_text.delta", "delta": 5},
    "text has a nul": text("a\0b"),
    "text is huge": text("y" * 3_000_000),
    "event is unknown": {"type": "session.party"},
    "event without a type": {"delta": "x"},
    "title is long": {"type": "session.title", "title": LONG},
    "sequence number is huge": {**text("z"), "sequence_number": HUGE},
    "deeply nested": {"type": "session.todos", "todos": [[[[[[[[[[]]]]]]]]]]},
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_the_turn_goes_on_around_it(bad: Json) -> None:
    feed = Feed(title="named")
    feed.message()

    feed.take(status("running"), response("in_progress"), text("before "), bad, number=4)
    feed.take(text("after"), call(), output(), response("completed"), status("idle"), number=9)

    settled = row(feed.pk)
    assert settled.status in ("idle", "failed")
    assert settled.ingest_number == 9
    assert settled.open_seq is None
    text_stored = "".join(said(feed.pk))
    assert "before " in text_stored
    assert "after" in text_stored
    assert "function_call_output" in [item["type"] for item in stored(feed.pk)]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_nobody_else_is_held_up_by_it(bad: Json) -> None:
    feed, other = Feed(title="named"), Feed(title="named")
    feed.message()
    other.message()
    units = [
        feed.unit(status("running"), bad),
        other.unit(status("running"), response("in_progress"), text("fine"), response("completed")),
        other.unit(status("idle")),
    ]

    outcomes = commit.commit(units)

    assert outcomes == [None, None, None]
    assert said(other.pk) == ["fine"]
    assert types(other.pk)[-1] == "status idle"


class Explosive:
    """Stands in for an event that breaks whatever handles it."""

    type = "session.title"

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("boom")


def test_an_event_that_breaks_its_handler_is_left_out() -> None:
    feed, other = Feed(title="named"), Feed(title="named")
    feed.message()
    other.message()
    unit = feed.unit(status("running"), response("in_progress"), text("a"), text("b"), number=7)
    unit.batch = [*unit.batch[:3], Explosive(), *unit.batch[3:]]  # type: ignore[list-item]  # no event at all is the point

    outcomes = commit.commit([unit, other.unit(status("running"), response("in_progress"), text("fine"))])
    feed.take(response("completed"), status("idle"))

    assert outcomes == [None, None]
    assert said(feed.pk) == ["ab"]
    assert row(feed.pk).ingest_number == 7
    assert types(other.pk)[-1] == "text"

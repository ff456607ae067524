"""Inputs that arrive together: one commit for all of them, and to each the answer it would have had alone."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from omnigent.protocol.inputs import SessionEvent
from sessions_app.models import Item, LogEntry
from sessions_app.services import commit, posting
from tests.inputs.rig import Rig
from tests.inputs.test_external import external, message
from tests.tunnel.feed import LOCAL, Feed
from tests.tunnel.trouble import Trouble, troubled

DELTA = {"type": "external_output_text_delta", "data": {"delta": "x"}}
MISSING = "conv_" + "0" * 32


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    """Trouble for the connections of the server, which is started after."""
    with troubled() as trouble:
        yield trouble


def items_of(count: int) -> list[dict[str, Any]]:
    return [external("message", message("assistant", f"words {number}")) for number in range(count)]


async def test_each_has_its_own_answer_and_its_own_place(rig: Rig) -> None:
    first, second = await rig.session(), await rig.session()
    targets = [first, second] * 10

    answers = await asyncio.gather(
        *(rig.post(target, body) for target, body in zip(targets, items_of(20), strict=True))
    )

    assert {answer.status_code for answer in answers} == {202}
    for target in (first, second):
        ids = [item["id"] for item in await rig.items(target)]
        posted = [
            answer.json()["item_id"] for answer, to in zip(answers, targets, strict=True) if to == target
        ]
        assert sorted(ids) == sorted(posted)
        shown = [event["item"]["id"] for _, event in await rig.log(target)]
        assert sorted(shown) == sorted(posted)


async def test_a_refusal_is_nobody_elses(rig: Rig) -> None:
    session_id = await rig.session()
    flawed = external("message", message("assistant", "x"), response_id="r" * 200)

    answers = await asyncio.gather(
        rig.post(session_id, DELTA),
        rig.post(MISSING, DELTA),
        rig.post(session_id, flawed),
        rig.post(MISSING, flawed),
        rig.post(session_id, DELTA, token="somebody elses"),
        rig.post(session_id, items_of(1)[0]),
    )

    assert [answer.status_code for answer in answers] == [202, 404, 400, 404, 404, 202]
    assert len(await rig.items(session_id)) == 1
    assert len(await rig.log(session_id)) == 2


async def test_the_same_source_at_the_same_time_is_stored_once(rig: Rig) -> None:
    session_id = await rig.session()
    body = external("message", message("assistant", "once"), source_id="s1")

    answers = await asyncio.gather(*(rig.post(session_id, body) for _ in range(12)))
    later = await rig.post(session_id, body)

    [item] = await rig.items(session_id)
    assert {answer.json()["item_id"] for answer in (*answers, later)} == {item["id"]}
    assert len(await rig.log(session_id)) == 1


async def test_the_database_may_fail_for_a_moment(trouble: Trouble, rig: Rig) -> None:
    session_id = await rig.session()
    trouble.begin(posting.ATTEMPTS - 1, on="INSERT INTO")

    answers = await asyncio.gather(*(rig.post(session_id, body) for body in items_of(8)))

    assert trouble.failed == posting.ATTEMPTS - 1
    assert {answer.status_code for answer in answers} == {202}
    assert len(await rig.items(session_id)) == 8


async def test_a_failing_database_stores_nothing_and_says_so(trouble: Trouble, rig: Rig) -> None:
    session_id = await rig.session()
    trouble.begin(1000, on="INSERT INTO")

    answer = await rig.post(session_id, items_of(1)[0])

    trouble.end()
    assert answer.status_code == 500
    assert await rig.items(session_id) == []
    assert (await rig.post(session_id, items_of(1)[0])).status_code == 202


def unit(feed: Feed, body: dict[str, Any], loop: asyncio.AbstractEventLoop) -> posting.PostUnit:
    """A posted input on its way through the writer."""
    return posting.PostUnit(
        principal=LOCAL,
        session_id=feed.session.public_id,
        event=SessionEvent(type=body["type"], data=body["data"]),
        outcome=loop.create_future(),
    )


def refuse_poison(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """A constraint that some content breaks."""
    if sql.startswith("INSERT") and any("poison" in str(value) for value in params):
        raise IntegrityError("injected")
    return execute(sql, params, many, context)


@pytest.mark.django_db
@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_that_cannot_be_stored_is_left_out_alone(at: int, loop: asyncio.AbstractEventLoop) -> None:
    feed = Feed()
    words = ["poison" if number == at else "fine" for number in range(3)]
    units = [unit(feed, external("message", message("assistant", word)), loop) for word in words]

    with connection.execute_wrapper(refuse_poison):
        outcomes = commit.commit(units)

    assert [outcome is None for outcome in outcomes] == [word == "fine" for word in words]
    assert Item.objects.count() == LogEntry.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("sources", [1, 16])
@pytest.mark.parametrize("count", [1, 16])
def test_any_number_takes_the_statements_of_one(
    count: int, sources: int, loop: asyncio.AbstractEventLoop
) -> None:
    feed = Feed()
    bodies = [
        external("message", message("assistant", "x"), source_id=f"s{number % sources}")
        for number in range(count)
    ]
    units = [unit(feed, body, loop) for body in bodies]

    with CaptureQueriesContext(connection) as captured:
        assert commit.commit(units) == [None] * count

    control = ("SAVEPOINT", "RELEASE", "SET LOCAL")
    taken = [query["sql"][:90] for query in captured if not query["sql"].startswith(control)]
    assert len(taken) <= 5, taken
    assert Item.objects.count() == min(count, sources)

"""Which commits wait for the disk."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from sessions_app.models import Outbox, OutboxKind
from sessions_app.process import prepare_writer_connection
from sessions_app.services import commit, outbox
from tests.factories import make_session
from tests.inputs.test_gathering import DELTA, items_of, unit
from tests.tunnel.feed import Feed
from tests.tunnel.script import text


def synchronous() -> str:
    """What a commit of this connection waits for."""
    asked = "PRAGMA synchronous" if connection.vendor == "sqlite" else "SHOW synchronous_commit"
    with connection.cursor() as cursor:
        cursor.execute(asked)
        return str(cursor.fetchone()[0])


def levels() -> tuple[str, str]:
    """What a commit says that does not wait for the disk, and one that does."""
    return ("1", "2") if connection.vendor == "sqlite" else ("off", "on")


@pytest.fixture
def careful(transactional_db: None) -> Iterator[None]:
    """A database whose connections wait for the disk unless they say otherwise."""
    if connection.vendor == "postgresql":
        execute("ALTER ROLE CURRENT_USER SET synchronous_commit TO on")
        connection.close()
    yield
    if connection.vendor == "postgresql":
        execute("ALTER ROLE CURRENT_USER RESET synchronous_commit")
    connection.close()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.usefixtures("careful")
def test_an_input_is_on_the_disk_and_streamed_text_need_not_be(loop: asyncio.AbstractEventLoop) -> None:
    prepare_writer_connection()
    feed = Feed()
    [item] = items_of(1)
    seen: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT") and "logentry" in sql:
            seen.append(synchronous())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        feed.take(text("streamed"))
        commit.commit([unit(feed, DELTA, loop)])
        commit.commit([unit(feed, item, loop)])
        commit.commit([unit(feed, DELTA, loop), unit(feed, item, loop)])
        commit.commit([feed.unit(text("x")), unit(feed, DELTA, loop)])
        commit.commit([feed.unit(text("x")), unit(feed, item, loop)])

    streamed, durable = levels()
    assert seen == [streamed, durable, durable, durable, streamed, durable, streamed, durable]


@pytest.mark.usefixtures("careful")
def test_what_the_outbox_notes_need_not_be_on_the_disk_but_what_follows_is() -> None:
    session, now, seen = make_session(), timezone.now(), list[str]()
    Outbox.objects.create(
        session=session,
        kind=OutboxKind.CONTROL,
        body="{}",
        created_at=now,
        deadline=now + timedelta(minutes=1),
    )

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "outbox" in sql and sql.startswith(("UPDATE", "DELETE")):
            seen.append(synchronous())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        first = outbox.claim(session_pk=session.pk, holder="here", seconds=5)
        assert first is not None
        outbox.hold(delivery=first, holder="here", seconds=5)
        outbox.release(delivery=first, holder="here", was_sent=True)
        second = outbox.claim(session_pk=session.pk, holder="there", seconds=5)
        assert second is not None
        outbox.delivered(delivery=second)

    noted, durable = levels()
    assert seen == [noted] * 5
    with transaction.atomic():
        assert synchronous() == durable
    assert not Outbox.objects.exists()

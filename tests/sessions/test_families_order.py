"""Sub-agents and those above them are locked in one order, whoever writes: nobody waits in a circle."""

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection

from sessions_app.models import LogEntry, Session
from sessions_app.services import commit
from sessions_app.services.tick import tick_of
from sessions_app.services.turns import begin, rest
from tests.factories import make_agent, make_session
from tests.tunnel.feed import Feed
from tests.tunnel.script import call, output, text

ROUNDS = 60


def at_once(*works: Callable[[], None]) -> list[Exception]:
    """Run these in threads of their own; what went wrong."""
    errors: list[Exception] = []

    def run(work: Callable[[], None]) -> None:
        try:
            for _ in range(ROUNDS):
                work()
        except (DatabaseError, AssertionError) as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return errors


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("parent_does", ["text", "items"])
def test_a_family_that_streams_while_somebody_changes_its_status(parent_does: str) -> None:
    agent = make_agent()
    top = make_session(agent)
    parent = Feed(agent=agent, parent=top, root=top, kind="sub_agent")
    children = [
        Feed(agent=agent, parent=parent.session, root=top, kind="sub_agent", title=f"a:{number}")
        for number in range(4)
    ]
    own = [text("p")] if parent_does == "text" else [call(), output()]

    def stream() -> None:
        units = [*(child.unit(text("c")) for child in reversed(children)), parent.unit(*own)]
        assert [error for error in commit.commit(units) if error is not None] == []

    def change(feed: Feed) -> Callable[[], None]:
        def once() -> None:
            with tick_of([feed.pk]) as tick:
                begin(tick, tick.sessions[feed.pk])
            with tick_of([feed.pk]) as tick:
                rest(tick, tick.sessions[feed.pk])

        return once

    errors = at_once(stream, change(children[0]), change(children[3]), change(parent))

    assert errors == []
    for session in Session.objects.all():
        numbers = list(LogEntry.objects.filter(session=session).order_by("seq").values_list("seq", flat=True))
        assert numbers == list(range(1, session.seq + 1))

"""GET /v1/sessions/{id}/items for the session's own runner, which may take a second time what it reads."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from omnigent.protocol.frames import EVENT_ACK
from sessions_app.models import Outbox, OutboxKind, Session, Turn, TurnStatus
from tests.factories import agent_said, make_runner, make_session, user_said

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUNNER = {"X-Omnigent-Runner-Tunnel-Token": "secret"}


def read(session: Session, **headers: str) -> list[str]:
    """The ids of the items that the caller sees."""
    client = Client(headers={"host": "127.0.0.1:6767", **headers})
    page = client.get(f"/v1/sessions/{session.public_id}/items").json()
    return [item["id"] for item in page["data"]]


def bound(*capabilities: str) -> Session:
    """A session of a runner that says it can do this."""
    return make_session(runner_id=make_runner("secret", capabilities=list(capabilities)).public_id)


def waits(session: Session, item_id: str) -> None:
    """The runner has still to be told of a message."""
    Outbox.objects.create(
        session=session, kind=OutboxKind.MESSAGE, item_id=item_id, body="{}", created_at=NOW, deadline=NOW
    )


@pytest.mark.django_db
def test_a_message_that_is_on_its_way_is_not_in_the_runners_history() -> None:
    session = bound()
    before = [user_said(session, "one"), agent_said(session, "two")]
    coming = user_said(session, "three")
    waits(session, coming)

    assert read(session, **RUNNER) == before
    assert read(session) == [*before, coming]


@pytest.mark.django_db
def test_a_prompt_is_in_the_runners_history_once_something_answers_it() -> None:
    session = bound()
    prompt = user_said(session, "one")
    turn = Turn.objects.create(session=session, opened_at=NOW)

    assert read(session, **RUNNER) == []
    answer = agent_said(session, "two")
    assert read(session, **RUNNER) == [prompt, answer]
    steer = user_said(session, "three")
    assert read(session, **RUNNER) == [prompt, answer]
    Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.FAILED)
    assert read(session, **RUNNER) == [prompt, answer, steer]


@pytest.mark.django_db
def test_a_runner_that_knows_messages_again_sees_everything() -> None:
    session = bound(EVENT_ACK)
    prompt = user_said(session, "one")
    Turn.objects.create(session=session, opened_at=NOW)
    waits(session, prompt)

    assert read(session, **RUNNER) == [prompt]

"""What waits for a person, and the policies of a session, in the admin."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app.models import Elicitation, ElicitationStatus, HeldAction, Session, SessionPolicy
from tests.factories import ask, make_session
from tests.policies_rest.admin_pages import text_of
from tests.policies_rest.people import ASK, local

pytestmark = pytest.mark.django_db
APPROVALS = "/admin/sessions_app/elicitation/"


def held(session: Session, **params: str) -> Elicitation:
    """A question of a policy, about an action that it holds for an hour."""
    question = ask(session, policy_name="ask first", content_preview="Bash: make deploy", **params)
    HeldAction.objects.create(
        session=session,
        elicitation=question,
        kind="tool",
        digest="0" * 64,
        event={},
        position=1,
        policy_name="ask first",
        quorum=2,
        votes=["ada"],
        created_at=timezone.now(),
        expires_at=timezone.now() + timedelta(minutes=61),
    )
    return question


def test_a_question_is_listed_with_what_it_is_about_and_where_to_answer_it() -> None:
    session = make_session(title="Ship it")
    question = held(session)

    answer = local().get(APPROVALS)
    page = text_of(answer)

    for words in ("ask first", "Bash: make deploy", "Ship it", "in 1 hour", "1 of 2"):
        assert words in page.replace("\xa0", " ")
    address = f"/approve/{session.public_id}/{question.public_id}"
    assert address in answer.content.decode()
    assert local().get(address).status_code == 200


def test_what_is_answered_is_under_its_own_filter() -> None:
    ask(make_session(title="Open one"))
    done = ask(make_session(title="Old one"))
    Elicitation.objects.filter(pk=done.pk).update(
        status=ElicitationStatus.ACCEPTED, action="accept", resolved_by="ada"
    )

    waiting, answered = (text_of(local().get(APPROVALS, query)) for query in ({}, {"state": "answered"}))

    assert "Open one" in waiting
    assert "Old one" not in waiting
    assert "Old one" in answered
    assert "accept by ada" in answered


def test_the_list_costs_the_same_however_long_it_is() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert local().get(APPROVALS).status_code == 200
        return len(captured)

    held(make_session())
    statements()
    few = statements()
    for _ in range(6):
        held(make_session())

    assert statements() == few


def test_a_session_shows_its_own_policies_and_none_can_be_changed() -> None:
    session = make_session()
    SessionPolicy.objects.create(
        session=session, name="just here", type="python", handler=ASK, created_at=timezone.now()
    )

    answer = local().get(f"/admin/sessions_app/session/{session.pk}/change/")

    assert "just here" in text_of(answer)
    assert 'name="_save"' not in answer.content.decode()

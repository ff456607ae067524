"""The session page's forms, as they work without scripts."""

from typing import Any

import pytest
from django.test import Client

from sessions_app.models import Elicitation, Item, Outbox, Session
from tests.dashboard import factories as make

pytestmark = pytest.mark.django_db


def a_reachable_session(**fields: Any) -> Session:
    return make.a_session(host_id=make.a_host().public_id, workspace="/w", **fields)


def test_a_message_is_stored_and_the_page_comes_back(client: Client) -> None:
    session = a_reachable_session()

    response = client.post(f"/c/{session.public_id}/messages", {"text": "Hello there", "key": "k1"})

    assert response.status_code == 302
    assert response["Location"] == f"/c/{session.public_id}#composer"
    assert "Hello there" in client.get(f"/c/{session.public_id}").content.decode()
    assert Outbox.objects.filter(session=session, kind="message").count() == 1


def test_a_form_that_is_sent_twice_is_one_message(client: Client) -> None:
    session = a_reachable_session()

    for _ in range(2):
        client.post(f"/c/{session.public_id}/messages", {"text": "Once", "key": "k1"})

    assert Item.objects.filter(session=session).count() == 1


def test_a_message_that_nobody_can_run_comes_back_with_the_reason(client: Client) -> None:
    session = make.a_session()

    response = client.post(f"/c/{session.public_id}/messages", {"text": "Anyone <there>?", "key": "k1"})

    shown = response.content.decode()
    assert response.status_code == 503
    assert "No runner bound for session" in shown
    assert "Anyone &lt;there&gt;?</textarea>" in shown
    assert not Item.objects.exists()


def test_an_empty_message_is_not_sent(client: Client) -> None:
    session = a_reachable_session()

    assert client.post(f"/c/{session.public_id}/messages", {"text": "  "}).status_code == 302
    assert not Item.objects.exists()


def test_interrupt_reaches_the_runner(client: Client) -> None:
    session = a_reachable_session(status="running", active_response_id="resp_1")

    response = client.post(f"/c/{session.public_id}/interrupt", {"key": "k2"})

    assert response.status_code == 302
    assert Outbox.objects.filter(session=session, kind="interrupt").exists()


@pytest.mark.parametrize(("action", "status"), [("accept", "accepted"), ("decline", "declined")])
def test_a_question_is_answered(client: Client, action: str, status: str) -> None:
    session = a_reachable_session(status="running")
    question = make.a_question(session)

    address = f"/c/{session.public_id}/elicitations/{question.public_id}/answer"
    response = client.post(address, {"action": action})

    assert response.status_code == 302
    assert Elicitation.objects.get().status == status


def test_the_fields_of_a_question_are_answered_with_their_types(client: Client) -> None:
    session = a_reachable_session(status="running")
    properties = {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "ok": {"type": "boolean"},
    }
    question = make.a_question(session, mode="form", requestedSchema={"properties": properties})

    client.post(
        f"/c/{session.public_id}/elicitations/{question.public_id}/answer",
        {"action": "accept", "content.name": "x", "content.count": "3", "content.ok": "true", "other": "y"},
    )

    assert Elicitation.objects.get().content == {"name": "x", "count": 3, "ok": True}


def test_an_unknown_verdict_is_refused(client: Client) -> None:
    session = a_reachable_session(status="running")
    question = make.a_question(session)

    response = client.post(
        f"/c/{session.public_id}/elicitations/{question.public_id}/answer", {"action": "maybe"}
    )

    assert response.status_code == 400
    assert Elicitation.objects.get().status == "pending"


def test_forms_of_other_sites_are_refused() -> None:
    session = a_reachable_session()
    strict = Client(enforce_csrf_checks=True)

    response = strict.post(f"/c/{session.public_id}/messages", {"text": "Hello"})

    assert response.status_code == 403
    assert not Item.objects.exists()


@pytest.mark.parametrize("path", ["messages", "interrupt"])
def test_writing_needs_post(client: Client, path: str) -> None:
    session = make.a_session()

    assert client.get(f"/c/{session.public_id}/{path}").status_code == 405

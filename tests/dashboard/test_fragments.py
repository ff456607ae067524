"""The pieces that scripts put into the page: the same rendering as on the whole page."""

import re

import pytest
from django.test import Client

from tests.dashboard import factories as make

pytestmark = pytest.mark.django_db


def entry(html: str, item_id: str) -> str:
    found = re.search(rf'<article [^>]*data-item="{item_id}".*?</article>', html, re.S)
    assert found is not None
    return found[0]


def test_a_fragment_is_what_the_page_shows(client: Client) -> None:
    session = make.a_session()
    base = f"/c/{session.public_id}"
    message = make.an_answer(session, "# Title\n\n- `x`")
    call = make.a_call(session, "c1")
    output = make.an_output(session, "c1", "out")

    shown = client.get(base).content.decode()

    for address, item_id in (
        (f"items/{message}", message),
        (f"items/{call}", call),
        (f"items/{output}", call),
        ("calls/c1", call),
    ):
        fragment = client.get(f"{base}/{address}").content.decode()
        assert entry(fragment, item_id) == entry(shown, item_id)


def test_the_tail_holds_what_came_after_an_item(client: Client) -> None:
    session = make.a_session()
    first = make.a_user_message(session, "one")
    make.an_answer(session, "two")

    tail = client.get(f"/c/{session.public_id}/items", {"after": first}).content.decode()
    whole = client.get(f"/c/{session.public_id}/items").content.decode()

    assert "two" in tail and "one" not in tail
    assert "one" in whole


def test_a_question_is_a_card_while_it_waits(client: Client) -> None:
    session = make.a_session(status="running")
    question = make.a_question(session)
    address = f"/c/{session.public_id}/elicitations/{question.public_id}"

    waiting = client.get(address)
    linked = client.get(f"/approve/{session.public_id}/{question.public_id}")
    question.status = "accepted"
    question.save()

    assert "Run it?" in waiting.content.decode()
    assert "Run it?" in linked.content.decode()
    assert client.get(address).status_code == 404
    answered = client.get(f"/approve/{session.public_id}/{question.public_id}").content.decode()
    assert "This question has been answered" in answered


def test_a_question_of_a_sub_agent_is_answered_there(client: Client) -> None:
    parent = make.a_session(status="running")
    child = make.a_session(parent.agent, title="c", kind="sub_agent", parent=parent, root=parent)
    question = make.a_question(child)

    shown = client.get(f"/c/{parent.public_id}/elicitations/{question.public_id}").content.decode()

    assert f'data-session="{child.public_id}"' in shown


@pytest.mark.parametrize(
    "address", ["items/item_nope", "calls/nope", "items/item_nope/output", "items?after=item_x"]
)
def test_what_is_not_there_is_refused(client: Client, address: str) -> None:
    session = make.a_session()

    assert client.get(f"/c/{session.public_id}/{address}").status_code in (400, 404)


def test_an_item_of_another_session_is_not_there(client: Client) -> None:
    session = make.a_session()
    other = make.a_session(session.agent)
    item = make.a_user_message(other, "secret")

    assert client.get(f"/c/{session.public_id}/items/{item}").status_code == 404

"""The sessions list."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.dashboard.factories import a_host, a_question, a_session, an_agent

pytestmark = pytest.mark.django_db


def page(client: Client, address: str = "/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_list_invites_to_start_a_session(client: Client) -> None:
    shown = page(client)

    assert "Start the first session" in shown
    assert 'href="/new"' in shown


def test_a_row_says_status_title_agent_and_when(client: Client) -> None:
    session = a_session(an_agent("painter"), title="Paint the fence", status="failed")

    shown = page(client)

    assert f'href="/c/{session.public_id}"' in shown
    assert "Paint the fence" in shown
    assert "painter" in shown
    assert '<span class="status__word">Failed</span>' in shown
    assert "just now" in shown


def test_the_most_recently_changed_session_comes_first(client: Client) -> None:
    agent, now = an_agent(), timezone.now()
    a_session(agent, title="older", updated_at=now - timedelta(hours=2))
    a_session(agent, title="newer", updated_at=now)

    shown = page(client)

    assert shown.index("newer") < shown.index("older")
    assert "2 h ago" in shown


def test_a_waiting_question_is_told_in_the_row(client: Client) -> None:
    a_question(a_session(status="running"))

    assert "Needs approval" in page(client)


def test_a_title_is_text_whatever_it_holds(client: Client) -> None:
    a_session(title="<script>alert(1)</script>")

    shown = page(client)

    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_archived_sessions_and_sub_agents_are_not_listed(client: Client) -> None:
    parent = a_session(title="the parent")
    a_session(parent.agent, title="the archive", archived=True)
    a_session(parent.agent, title="the child", kind="sub_agent", parent=parent)

    shown = page(client)

    assert "the parent" in shown
    assert "the archive" not in shown
    assert "the child" not in shown


def test_older_sessions_are_behind_a_cursor(client: Client) -> None:
    agent, now = an_agent(), timezone.now()
    for number in range(45):
        a_session(agent, title=f"session {number:02}", updated_at=now - timedelta(minutes=number))

    first = page(client)
    address = first.split('class="pager__next" href="')[1].split('"')[0]
    second = page(client, address)

    assert "session 39" in first and "session 40" not in first
    assert "session 40" in second and "session 44" in second and "session 39" not in second
    assert "Older sessions" not in second
    assert 'href="/">← Newest' in second


def test_a_cursor_that_is_gone_is_explained(client: Client) -> None:
    a_session()

    response = client.get("/", {"after": "conv_" + "0" * 32})

    assert response.status_code == 400
    assert "no longer exists" in response.content.decode()


def test_the_number_of_online_hosts_is_shown(client: Client) -> None:
    a_host("one")
    a_host("two", is_online=False)
    a_session()

    assert "1 host online" in page(client)


def test_the_statements_do_not_grow_with_the_rows(client: Client, django_assert_num_queries: object) -> None:
    agent = an_agent()
    a_host()
    for _ in range(30):
        a_session(agent)

    with django_assert_num_queries(4):  # type: ignore[operator]  # list, waiting questions, hosts, leases
        page(client)

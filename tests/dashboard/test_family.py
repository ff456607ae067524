"""What the session page tells of sub-agents, of the agent, and of what happens beside the conversation."""

import re
from datetime import timedelta
from typing import Literal

import pytest
from django.test import Client
from django.utils import timezone

from omnigent.protocol import events
from sessions_app.models import Session
from tests.dashboard import factories as make
from tests.dashboard.test_fragments import entry

pytestmark = pytest.mark.django_db


def page(client: Client, session: Session, path: str = "") -> str:
    response = client.get(f"/c/{session.public_id}{path}")
    assert response.status_code == 200
    return response.content.decode()


def strip(shown: str) -> str:
    found = re.search(r'id="strip" role="status">(.*?)</p>', shown)
    assert found is not None
    return found[1]


def a_fault(session: Session, message: str, source: str = "tool") -> None:
    error = {"code": "mcp_unavailable", "message": message}
    make.logged(session, events.ResponseError(source=source, error=error))


def a_status(session: Session, status: Literal["running", "idle"]) -> None:
    make.logged(session, events.SessionStatus(conversation_id=session.public_id, status=status))


def test_sub_agents_are_listed_with_what_they_do_and_how_it_stands(client: Client) -> None:
    parent = make.a_session(status="waiting")
    busy = make.a_child(parent, "alpha:Paint the fence", status="running")
    failed = make.a_child(parent, "beta:Mow", status="failed", last_task_error={"message": "no <fuel>"})

    shown = page(client, parent, "/sub-agents")

    assert '<span class="family__busy">1 working</span>' in shown
    rows = dict(re.findall(r'<li class="kin" id="kin-(\w+)">(.*?)</li>', shown, re.S))
    assert f'href="/c/{busy.public_id}">alpha</a>' in rows[busy.public_id]
    assert "Paint the fence" in rows[busy.public_id] and "Working" in rows[busy.public_id]
    assert "Failed" in rows[failed.public_id] and "no &lt;fuel&gt;" in rows[failed.public_id]
    assert shown.strip() in page(client, parent)


def test_a_sub_agent_that_asks_something_says_so(client: Client) -> None:
    parent = make.a_session(status="waiting")
    make.a_question(make.a_child(parent, "alpha:x", status="running"))

    assert "Needs approval" in page(client, parent, "/sub-agents")


def test_a_sub_agents_page_leads_back_to_whom_it_works_for(client: Client) -> None:
    parent = make.a_session(title="The <boss>")
    child = make.a_child(parent, "alpha:x")

    shown = page(client, child)

    assert f'Sub-agent of <a href="/c/{parent.public_id}">The &lt;boss&gt;</a>' in shown
    assert "Sub-agent of" not in page(client, parent)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ((), "Waiting for sub-agents."),
        (("alpha", "beta"), "Waiting for alpha, beta."),
        (("a", "b", "c", "d", "e"), "Waiting for a, b, c and 2 more."),
    ],
    ids=["nobody is known", "two", "five"],
)
def test_a_session_that_waits_says_for_whom(client: Client, names: tuple[str, ...], line: str) -> None:
    parent = make.a_session(status="waiting")
    make.a_child(parent, "idle:done", status="idle")
    for name in names:
        make.a_child(parent, f"{name}:x", status="running")

    assert strip(page(client, parent)) == line


def test_what_is_delegated_and_what_comes_back_are_cards(client: Client) -> None:
    parent = make.a_session()
    child = make.a_child(parent, "alpha:Paint")
    told = {"resource_id": child.public_id, "resource_type": "session"}
    task = {"title": "Paint", "agent": "alpha"}
    begun = make.an_item(
        parent,
        "resource_event",
        {**told, "event_type": "session.subagent.delegated", "resource": task},
    )
    ended = make.an_item(
        parent,
        "resource_event",
        {
            **told,
            "event_type": "session.subagent.returned",
            "resource": {**task, "status": "failed", "result": "**red** <script>"},
        },
    )

    shown = page(client, parent)

    first, second = entry(shown, begun), entry(shown, ended)
    assert 'data-outcome="delegated"' in first and "Set to work" in first and "Paint" in first
    assert 'data-outcome="failed"' in second and "<strong>red</strong> &lt;script&gt;" in second
    assert all(f'href="/c/{child.public_id}"' in card for card in (first, second))


def test_a_resource_event_without_its_parts_is_still_a_line(client: Client) -> None:
    session = make.a_session()
    data = {"event_type": "session.subagent.returned", "resource_id": "conv_x", "resource_type": "session"}
    make.an_item(session, "resource_event", data)
    make.an_item(session, "resource_event", {**data, "event_type": "session.terminal.created"})

    shown = page(client, session)

    assert "Terminal created: conv_x" in shown


def test_a_compaction_is_shown_with_its_summary(client: Client) -> None:
    session = make.a_session()
    data = {"summary": "- we **painted**", "model": "gpt-x", "token_count": 900}
    item = make.an_item(session, "compaction", data)

    shown = entry(page(client, session), item)

    assert "goes on from a summary" in shown
    assert "900 tokens" in shown and "gpt-x" in shown and "<strong>painted</strong>" in shown


@pytest.mark.parametrize(("minutes", "is_shown"), [(5, True), (-5, False)], ids=["under way", "given up"])
def test_a_compaction_under_way_is_shown(client: Client, minutes: int, is_shown: bool) -> None:
    until = timezone.now() + timedelta(minutes=minutes)
    session = make.a_session(compacting_until=until)

    assert ('id="compacting"' in page(client, session).split("<template")[0]) is is_shown


def test_what_was_not_available_in_this_turn_is_told_and_of_earlier_ones_not(client: Client) -> None:
    session = make.a_session()
    a_fault(session, "old fault")
    a_status(session, "running")
    a_fault(session, "no <notes>")
    a_fault(session, "no <notes>")
    a_status(session, "idle")

    shown = page(client, session)

    assert re.findall(r'class="notice__text">(.*?)<', shown.split("<template")[0]) == ["no &lt;notes&gt;"]


def test_the_agents_panel_shows_what_it_runs_on_and_brings(client: Client) -> None:
    details = {
        "skills": [{"name": "tidy", "description": "Tidy up", "display_name": None}],
        "mcp_servers": [
            {"name": "notes", "transport": "http", "url": "https://notes.example"},
            {"name": "local", "transport": "stdio", "command": "serve", "args": []},
        ],
        "terminals": ["dev"],
        "policies": [{"name": "careful", "type": "function", "on": [], "description": "x.y"}],
    }
    agent = make.an_agent("librarian", version=4, harness="codex", model="gpt-x", details=details)
    session = make.a_session(agent)

    shown = page(client, session, "/agent")

    for part in (
        "librarian",
        "version 4",
        "Codex",
        "gpt-x",
        "/tidy",
        "https://notes.example",
        "serve",
        "dev",
    ):
        assert part in shown
    assert "careful" in shown
    assert shown.strip() in page(client, session)


@pytest.mark.parametrize("path", ["", "/sub-agents", "/agent"])
def test_a_session_whose_agent_is_gone_can_still_be_read(client: Client, path: str) -> None:
    agent = make.an_agent("gone", deleted_at=timezone.now())

    page(client, make.a_session(agent), path)


@pytest.mark.parametrize("path", ["/sub-agents", "/agent"])
def test_the_parts_of_an_unknown_session_are_not_there(client: Client, path: str) -> None:
    assert client.get(f"/c/conv_{'0' * 32}{path}").status_code == 404

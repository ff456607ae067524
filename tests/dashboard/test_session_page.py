"""One session as a page: the stored transcript, and what is under way."""

import re

import pytest
from django.test import Client

from omnigent.protocol import events
from sessions_app.models import Session
from tests.dashboard import factories as make

pytestmark = pytest.mark.django_db


def page(client: Client, session: Session, query: str = "") -> str:
    response = client.get(f"/c/{session.public_id}{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_the_transcript_is_there_without_scripts_in_its_order(client: Client) -> None:
    session = make.a_session(title="Fix it", workspace="/home/me/project")
    make.a_user_message(session, "Please fix it")
    make.a_call(session, "c1")
    make.an_output(session, "c1", "two files")
    make.an_answer(session, "It is **fixed**")

    shown = page(client, session)

    places = [shown.index(text) for text in ("Please fix it", "sys_os_shell", "two files", "<strong>fixed")]
    assert places == sorted(places)
    assert "/home/me/project" in shown
    assert "<h1" in shown and "Fix it" in shown


def test_a_call_and_its_output_are_one_card(client: Client) -> None:
    session = make.a_session()
    make.a_call(session, "c1")
    make.a_call(session, "c2")
    make.an_output(session, "c2", "second")
    make.an_output(session, "c1", "first")

    shown = page(client, session)

    cards = re.findall(r'data-call="(c\d)" data-state="(\w+)".*?</article>', shown, re.S)
    assert cards == [("c1", "done"), ("c2", "done")]
    assert shown.index("first") < shown.index("second")


@pytest.mark.parametrize(
    ("status", "active", "state"),
    [("running", make.RESPONSE, "running"), ("idle", "", "unanswered")],
    ids=["while its response runs", "once its turn is over"],
)
def test_a_call_without_output_says_how_it_stands(
    client: Client, status: str, active: str, state: str
) -> None:
    session = make.a_session(status=status, active_response_id=active)
    make.a_call(session, "c1")

    assert f'data-call="c1" data-state="{state}"' in page(client, session)


def test_a_call_under_way_that_is_no_item_yet_is_shown(client: Client) -> None:
    session = make.a_session(status="running", active_response_id=make.RESPONSE)
    in_progress = events.ResponseInProgress(response={"id": make.RESPONSE})
    make.logged(session, in_progress, make.a_call_begun("done"), make.a_call_begun("c9"))
    make.logged(session, make.a_call_begun("done", "completed"))

    shown = page(client, session)

    assert 'data-call="c9" data-state="running"' in shown
    assert "sleep 60" in shown
    assert 'data-call="done"' not in shown


def test_long_output_is_clipped_and_whole_behind_a_link(client: Client) -> None:
    session = make.a_session()
    make.a_call(session, "c1")
    output = make.an_output(session, "c1", "\n".join(f"line {number}" for number in range(100)))

    shown = page(client, session)
    whole = client.get(f"/c/{session.public_id}/items/{output}/output")

    assert "line 23" in shown and "line 24" not in shown
    assert "76 more lines" in shown
    assert whole.content.decode().endswith("line 99")
    assert whole["Content-Type"] == "text/plain; charset=utf-8"


def test_an_error_says_what_happened_and_what_to_do(client: Client) -> None:
    session = make.a_session(status="failed", last_task_error={"code": "x", "message": "No more tokens"})
    make.an_item(
        session,
        "error",
        {"source": "llm", "code": "quota", "message": "No more tokens", "remediation": "Buy some"},
    )

    shown = page(client, session)

    assert "The last turn failed: No more tokens" in shown
    assert "Buy some" in shown
    assert "<code>quota</code>" in shown


def test_system_notes_are_folded(client: Client) -> None:
    session = make.a_session()
    make.a_user_message(session, "[System: interrupted] The user stopped the turn.")

    shown = page(client, session)

    assert "System note to the agent" in shown
    assert "entry--user" not in shown.split("<template")[0]


def test_reasoning_compaction_and_unknown_kinds_have_their_place(client: Client) -> None:
    session = make.a_session()
    summary = [{"type": "summary_text", "text": "I think"}]
    make.an_item(session, "reasoning", {"agent": "coder", "summary": summary})
    make.an_item(session, "native_tool", {"agent": "coder", "item": {"deep": True}})

    shown = page(client, session)

    assert "I think" in shown
    assert "native tool" in shown


def test_a_pending_question_can_be_answered_on_the_page(client: Client) -> None:
    session = make.a_session(status="running")
    question = make.a_question(session, message="Delete <all>?", policy_name="careful")

    shown = page(client, session)

    assert "Delete &lt;all&gt;?" in shown
    assert f'action="/c/{session.public_id}/elicitations/{question.public_id}/answer"' in shown
    assert 'value="accept"' in shown and 'value="decline"' in shown


def test_a_form_question_gets_fields_of_its_schema(client: Client) -> None:
    session = make.a_session(status="running")
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "title": "Name"}, "size": {"enum": ["s", "m"]}},
        "required": ["name"],
    }
    make.a_question(session, mode="form", requestedSchema=schema)

    shown = page(client, session)

    assert 'name="content.name" type="text" required' in shown
    assert "<option>m</option>" in shown


def test_the_page_resumes_where_its_snapshot_ends(client: Client) -> None:
    session = make.a_session()
    make.logged(session, events.SessionTitle(conversation_id="x", title="a"))
    make.logged(session, events.SessionTitle(conversation_id="x", title="b"))

    assert 'data-after="2"' in page(client, session)


def test_text_that_is_still_streaming_is_left_to_the_stream(client: Client) -> None:
    session = make.a_session(status="running", seq=9, open_seq=5)

    assert 'data-after="4"' in page(client, session)


def test_earlier_messages_are_a_page_of_their_own(client: Client) -> None:
    session = make.a_session()
    for number in range(120):
        make.a_user_message(session, f"message {number:03}.")

    shown = page(client, session)
    address = re.search(r'id="earlier" href="/c/[^"?]+(\?[^"]+)"', shown)
    assert address is not None
    earlier = page(client, session, address[1])

    assert "message 020." in shown and "message 019." not in shown
    assert "message 019." in earlier and "message 000." in earlier and "message 020." not in earlier
    assert 'id="composer"' not in earlier
    assert "Show earlier" not in earlier


@pytest.mark.parametrize("address", ["/c/conv_" + "0" * 32, "/c/..%2f", "/c/" + "x" * 80])
def test_an_unknown_session_is_a_friendly_404(client: Client, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_ide_panels_may_frame_sessions_and_nobody_anything_else(client: Client) -> None:
    session = make.a_session()

    framed = client.get(f"/c/{session.public_id}")
    other = client.get("/")

    policy = framed["Content-Security-Policy"]
    assert "frame-ancestors 'self' vscode-webview: vscode-file:" in policy
    assert "frame-ancestors 'none'" in other["Content-Security-Policy"]
    assert "X-Frame-Options" not in framed


def test_pages_need_no_inline_script_or_style(client: Client) -> None:
    session = make.a_session(status="running")
    make.a_question(session)
    make.a_user_message(session, "hello")

    for address in ("/", "/new", f"/c/{session.public_id}"):
        shown = client.get(address).content.decode()
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", shown)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", shown))


def test_the_statements_do_not_grow_with_the_rows(client: Client, django_assert_num_queries: object) -> None:
    session = make.a_session(status="running", active_response_id=make.RESPONSE)
    for number in range(40):
        make.a_call(session, f"c{number}")
        make.an_output(session, f"c{number}", "ok")

        make.a_child(session, f"alpha:task {number}")

    # Access, session, tree, items, calls under way; agent, sub-agents, what waits there, faults.
    with django_assert_num_queries(9):  # type: ignore[operator]  # a fixture of pytest-django
        page(client, session)

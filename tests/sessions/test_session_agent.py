"""The agent of a session, and its bundle."""

from django.core.files.storage import default_storage
from django.test import Client

from agents_app.storage import bundle_name
from omnigent.spec import bundle
from sessions_app.models import Session
from tests.error_shape import assert_error
from tests.factories import ask, make_agent, make_bundled_agent, make_session


def url(session: Session) -> str:
    return f"/v1/sessions/{session.public_id}/agent"


def test_the_agent_object(reader: Client) -> None:
    session = make_session(make_bundled_agent("helper"))

    shown = reader.get(url(session)).json()

    assert (shown["id"], shown["name"], shown["harness"]) == (session.agent.public_id, "helper", "scripted")


def test_the_bundle_comes_as_it_was_stored(reader: Client) -> None:
    session = make_session(make_bundled_agent("helper", prompt="Be kind."))

    answer = reader.get(f"{url(session)}/contents")

    spec = bundle.read(answer.content)
    assert (spec.name, spec.instructions) == ("helper", "Be kind.")
    assert answer.headers["Content-Type"] == "application/gzip"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Agent-Id"] == session.agent.public_id
    assert answer.headers["X-Agent-Version"] == "1"
    assert answer.headers["X-Agent-Name"] == "helper"
    assert answer.headers["X-Agent-Session-Scoped"] == "false"


def test_a_sessions_own_agent_must_not_be_expanded(reader: Client) -> None:
    agent = make_bundled_agent("helper")
    agent.is_builtin = False
    agent.save()

    answer = reader.get(f"{url(make_session(agent))}/contents")

    assert answer.headers["X-Agent-Session-Scoped"] == "true"


def test_a_lost_bundle_is_gone(reader: Client) -> None:
    agent = make_bundled_agent("helper", prompt="Soon lost.")
    default_storage.delete(bundle_name(agent.digest))

    answer = reader.get(f"{url(make_session(agent))}/contents")

    assert_error(answer, 410, "session_agent_missing")


def test_a_session_without_agent_says_so(reader: Client) -> None:
    session = Session.objects.create(agent=None)

    assert_error(reader.get(url(session)), 410, "session_agent_missing")


def test_a_runner_reads_only_what_it_is_bound_to(reader: Client) -> None:
    session = make_session(make_agent())

    answer = reader.get(f"{url(session)}/contents", headers={"X-Omnigent-Runner-Tunnel-Token": "t"})

    assert_error(answer, 404, "not_found", "Session not found")


def test_an_open_question_can_be_read(reader: Client) -> None:
    session = make_session()
    question = ask(session, phase="tool_call", policy_name="ask_tool", content_preview="{}")
    where = f"/v1/sessions/{session.public_id}/elicitations"

    assert reader.get(f"{where}/{question.public_id}").json() == {
        "status": "pending",
        "message": "May I?",
        "phase": "tool_call",
        "policy_name": "ask_tool",
        "content_preview": "{}",
    }
    question.status = "accepted"
    question.save()
    for elicitation_id in (question.public_id, "elicit_unknown"):
        assert reader.get(f"{where}/{elicitation_id}").json() == {"status": "resolved"}

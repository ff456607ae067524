"""PUT /v1/sessions/{id}/permissions from a session's runner: what the agent's specification lets it share."""

from typing import Any

import pytest

from agents_app.models import Agent
from agents_app.services import register_builtin
from sessions_app.models import Grant, Session
from tests.error_shape import assert_error
from tests.factories import make_agent, make_child
from tests.sessions.cast import Answered, caller, shared_session, url


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


def agent(sharing: str | None) -> Agent:
    said = f"agent_session_sharing: {sharing}\n" if sharing else ""
    document = f"name: sharing-{sharing}\nprompt: p\n{said}executor:\n  harness: scripted\n"
    return register_builtin(files={"agent.yaml": document.encode()})


def give(session: Session, user_id: str, level: int, *, who: str = "runner", **more: Any) -> Answered:
    body = {"user_id": user_id, "level": level, **more}
    return caller(who).request("PUT", url(session, "permissions"), body)


def levels(session: Session) -> dict[str, int]:
    return dict(Grant.objects.filter(session=session).values_list("user_id", "level"))


@pytest.mark.parametrize(
    ("sharing", "person", "everybody"),
    [(None, 403, 403), ("none", 403, 403), ("non-public", 200, 403), ("public", 200, 200)],
    ids=["not-said", "none", "non-public", "public"],
)
def test_an_agent_shares_what_its_specification_says(
    sharing: str | None, person: int, everybody: int
) -> None:
    session = shared_session(agent=agent(sharing))

    statuses = {level: give(session, f"new {level}", level).status_code for level in (1, 2, 3)}

    assert statuses == dict.fromkeys((1, 2, 3), person)
    assert give(session, "__public__", 1).status_code == everybody
    assert {name for name in levels(session) if name.startswith(("new", "_"))} == {
        *([f"new {level}" for level in (1, 2, 3)] if person == 200 else []),
        *(["__public__"] if everybody == 200 else []),
    }


def test_everybody_gets_no_more_than_read_from_an_agent(settings: Any) -> None:
    settings.OMNIGENT_PUBLIC_SHARING_MAX_LEVEL = "edit"
    session = shared_session(agent=agent("public"))

    assert_error(give(session, "__public__", 2), 403, "forbidden")
    assert give(session, "__public__", 2, who="owner").status_code == 200
    assert_error(give(session, "__public__", 1), 403, "forbidden", "An agent may not lower a permission")
    assert levels(session)["__public__"] == 2


def test_an_agent_shares_no_session_of_another_runner() -> None:
    session = shared_session(agent=agent("public"))

    assert_error(give(session, "new", 1, who="other runner"), 404, "not_found", "Session not found")
    assert "new" not in levels(session)


def test_an_agent_makes_nobody_owner_or_judge_and_takes_nothing_away() -> None:
    session = shared_session(agent=agent("public"))
    before = levels(session)

    assert give(session, "new", 4).status_code == 422
    assert_error(give(session, "new", 1, may_approve=True), 403, "forbidden")
    assert_error(give(session, "manager", 1), 403, "forbidden", "An agent may not lower a permission")
    assert_error(give(session, "owner", 1), 403, "forbidden")
    for method, path in (("GET", "permissions"), ("DELETE", "permissions/reader")):
        assert_error(caller("runner").request(method, url(session, path)), 403, "forbidden")
    assert levels(session) == before


def test_an_agent_raises_a_permission() -> None:
    session = shared_session(agent=agent("non-public"))

    assert give(session, "reader", 2).status_code == 200
    assert levels(session)["reader"] == 2


def test_the_servers_rules_hold_for_agents(settings: Any) -> None:
    settings.OMNIGENT_SHARING_MODE = "read_only"
    session = shared_session(agent=agent("public"))

    assert give(session, "new", 1).status_code == 200
    assert_error(give(session, "other", 2), 403, "forbidden")


def test_the_roots_agent_decides_and_a_sub_agent_is_not_shared_by_itself() -> None:
    closed = make_child(shared_session(agent=agent("none")), "a:b", runner_id="runner_1")
    opened = make_child(shared_session(agent=agent("public")), "a:b", runner_id="runner_1")
    for child, owns in ((closed, agent("public")), (opened, agent("none"))):
        Session.objects.filter(pk=child.pk).update(agent=owns)

    assert_error(give(closed, "new", 1), 403, "forbidden")
    assert_error(give(opened, "new", 1), 400, "invalid_input")
    assert levels(closed) == levels(opened) == {}


def test_an_agent_that_cannot_be_read_shares_nothing() -> None:
    session = shared_session(agent=make_agent("lost"))

    assert_error(give(session, "new", 1), 403, "forbidden", "This session's agent may not share it")

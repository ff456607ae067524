"""/v1/sessions/{id}/policies: what editors and the runner give to a session, and what lists show."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from policies_app.models import DefaultPolicy
from sessions_app.models import Session, SessionPolicy
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_agent, make_child
from tests.policies_rest.conftest import configured
from tests.sessions.cast import caller, shared_session, url
from tests.sessions.policy_writing import (
    ASK,
    NEW,
    SERVICE,
    SKILLS,
    added,
    history,
    listed,
    make_default,
    post,
)

__all__ = ["configured"]


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    return shared_session()


def test_a_policy_has_these_fields(session: Session) -> None:
    made = added(session)

    row = SessionPolicy.objects.get()
    assert made == {
        "id": row.public_id,
        "object": "session.policy",
        **NEW,
        "enabled": True,
        "source": "session",
        "created_at": int(row.created_at.timestamp()),
        "updated_at": None,
        "mode": "enforce",
        "approvers": [],
        "quorum": 1,
        "ask_timeout": None,
        "version": 1,
    }
    assert made["id"].startswith("pol_")
    assert listed(session) == [made]
    assert caller("reader").request("GET", url(session, "policies", made["id"])).json() == made


def test_factory_params_are_shown_only_when_there_are_some(session: Session) -> None:
    made = added(session, handler=ASK, factory_params=None)

    assert "factory_params" not in made


def test_a_url_policy_is_taken(session: Session) -> None:
    made = added(session, type="url", handler=SERVICE, factory_params=None)

    assert (made["type"], made["handler"]) == ("url", SERVICE)


def test_unknown_keys_are_ignored(session: Session) -> None:
    assert "colour" not in added(session, colour="red")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": None}, "name"),
        ({"type": "zap"}, "type"),
        ({"handler": "nodots"}, "handler"),
        ({"handler": "a.b; import os"}, "handler"),
        ({"type": "url", "handler": "http://policies.example.com", "factory_params": None}, "handler"),
        ({"factory_params": [1]}, "factory_params"),
        ({"factory_params": {"text": "x" * 70_000}}, "factory_params"),
        ({"enabled": "yes"}, "enabled"),
        ({"mode": "loud"}, "mode"),
        ({"quorum": 0}, "quorum"),
        ({"ask_timeout": 0}, "ask_timeout"),
        ({"approvers": "alice"}, "approvers"),
    ],
)
def test_a_body_of_another_shape_is_422(session: Session, fields: dict[str, Any], place: str) -> None:
    assert_invalid(post(session, **fields), "body", place)

    assert not SessionPolicy.objects.exists()


def test_parameters_of_a_url_policy_are_422(session: Session) -> None:
    assert_invalid(post(session, type="url", handler=SERVICE), "body")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"handler": "os.system"}, "not registered"),
        ({"factory_params": {"limit": "3"}}, "must be integer"),
        ({"factory_params": {"lim": 3}}, "unknown parameter"),
        ({"factory_params": {"limit": -1}}, "must be at least"),
        ({"handler": SKILLS, "factory_params": None}, "requires 'blocked'"),
        ({"handler": ASK}, "takes no parameters"),
        ({"type": "url", "handler": "https://u:p@example.com/", "factory_params": None}, "user name"),
    ],
)
def test_what_cannot_be_applied_is_400_in_words(session: Session, fields: dict[str, Any], words: str) -> None:
    body = assert_error(post(session, **fields), 400, "invalid_input")

    assert words in body["error"]["message"]
    assert not SessionPolicy.objects.exists()


def test_a_name_is_taken_once_in_a_session(session: Session) -> None:
    added(session)

    assert_error(post(session, handler=ASK, factory_params=None), 409, "already_exists")
    added(shared_session())
    assert len(listed(session)) == 1


def test_a_session_has_at_most_fifty(session: Session) -> None:
    for number in range(50):
        added(session, name=f"cap {number}")

    body = assert_error(post(session), 400, "invalid_input")

    assert "50" in body["error"]["message"]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("stranger", (404, 404, 404, 404, 404)),
        ("reader", (200, 200, 403, 403, 403)),
        ("editor", (200, 200, 200, 200, 200)),
        ("owner", (200, 200, 200, 200, 200)),
        ("admin", (200, 200, 200, 200, 200)),
        ("other runner", (404, 404, 404, 404, 404)),
        ("runner", (200, 200, 200, 403, 403)),
    ],
)
def test_readers_look_editors_change_and_the_runner_only_adds(
    session: Session, name: str, statuses: tuple[int, ...]
) -> None:
    one = url(session, "policies", added(session)["id"])
    who = caller(name)

    answers = [
        who.request("GET", url(session, "policies")),
        who.request("GET", one),
        who.request("POST", url(session, "policies"), {**NEW, "name": "another"}),
        who.request("PATCH", one, {"enabled": False}),
        who.request("DELETE", one),
    ]

    assert tuple(answer.status_code for answer in answers) == statuses


def test_a_retry_with_the_same_key_adds_no_second_policy(session: Session) -> None:
    first, second = post(session, key="k1"), post(session, key="k1")

    assert (second.status_code, second.content) == (200, first.content)
    assert_error(post(session, key="k1", name="other"), 422, "idempotency_mismatch")
    assert SessionPolicy.objects.count() == 1


def test_the_list_shows_all_levels_in_the_order_of_the_chain(db: None) -> None:
    declared = {"name": "spec", "type": "function", "on": ["tool_call"], "description": ASK}
    session = shared_session(agent=make_agent("guarded", details={"policies": [declared]}))
    make_default()
    added(session)

    rows = listed(session)

    assert [(row["source"], row["name"], row["type"]) for row in rows] == [
        ("session", "cap", "python"),
        ("spec", "spec", "function"),
        ("admin", "everywhere", "python"),
    ]
    assert {row["object"] for row in rows} == {"session.policy"}
    assert rows[1] == {
        "id": None,
        "object": "session.policy",
        "name": "spec",
        "type": "function",
        "handler": ASK,
        "enabled": True,
        "source": "spec",
        "created_at": 0,
        "updated_at": None,
        "description": rows[1]["description"],
        "on": ["tool_call"],
    }
    assert rows[1]["description"]
    assert rows[2]["id"] == DefaultPolicy.objects.get().public_id


def test_policies_of_the_config_file_are_listed_last(session: Session, configured: Any) -> None:
    configured(f"policies:\n  house:\n    type: function\n    handler: {ASK}\n")
    make_default()

    rows = listed(session)

    assert [(row["id"] is None, row["name"], row["source"]) for row in rows] == [
        (False, "everywhere", "admin"),
        (True, "house", "admin"),
    ]


def test_a_sub_agent_lists_its_own(session: Session) -> None:
    child = make_child(session, "helper:one", runner_id="runner_1")
    added(session)
    added(child, "runner", name="budget")

    assert [row["name"] for row in listed(child)] == ["budget"]
    assert [row["name"] for row in listed(session)] == ["cap"]


def test_a_list_costs_the_same_however_many_there_are(session: Session) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            listed(session)
        return len(seen)

    added(session)
    few = statements()
    for number in range(12):
        added(session, name=f"cap {number}")
        make_default(f"default {number}")

    assert statements() == few
    assert few <= 6


def test_policies_go_with_their_session_and_their_history_stays(session: Session) -> None:
    policy_id = added(session)["id"]

    session.delete()

    assert not SessionPolicy.objects.exists()
    assert len(history(policy_id)) == 1


def test_where_there_is_one_user_nobody_in_particular_wrote_it(session: Session, settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "single-user"

    policy_id = added(session, "local")["id"]

    assert [row[2] for row in history(policy_id)] == [""]

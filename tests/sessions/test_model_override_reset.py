"""POST /v1/sessions/{id}/model-override/reset."""

from typing import Any

import orjson
import pytest

from sessions_app.models import LogEntry, Outbox, Session
from tests.error_shape import assert_invalid
from tests.factories import make_agent, make_lease
from tests.sessions.cast import RUNNER_ID, Answered, caller, shared_session, url


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    return shared_session(agent=make_agent(model="own-model"), model_override="gpt-5", reported_model="gpt-5")


def reset(session: Session, expected: Any, name: str = "editor", key: str = "") -> Answered:
    body = {"expected_model_override": expected}
    return caller(name).request("POST", url(session, "model-override/reset"), body, key=key)


def test_the_expected_override_is_cleared_shown_and_told(session: Session) -> None:
    make_lease("runner", RUNNER_ID)

    answer = reset(session, "gpt-5")

    assert (answer.status_code, answer.json()) == (200, {"reset": True})
    before = session.updated_at
    session.refresh_from_db()
    assert (session.model_override, session.updated_at > before) == ("", True)
    (event,) = [orjson.loads(data) for data in LogEntry.objects.values_list("data", flat=True)]
    assert (event["type"], event["model"]) == ("session.model", "own-model")
    assert [orjson.loads(body) for body in Outbox.objects.values_list("body", flat=True)] == [
        {"type": "model_change", "model": None}
    ]


@pytest.mark.parametrize("expected", ["other", "", None, "GPT-5", "gpt-5 ", "🙂", "x" * 256])
def test_another_override_stays(session: Session, expected: str | None) -> None:
    assert reset(session, expected).json() == {"reset": False}
    session.refresh_from_db()
    assert session.model_override == "gpt-5"
    assert not LogEntry.objects.exists()


def test_nothing_is_reset_twice(session: Session) -> None:
    assert [reset(session, "gpt-5").json()["reset"] for _ in range(2)] == [True, False]


def test_a_repeated_request_gives_the_first_answer(session: Session) -> None:
    assert [reset(session, "gpt-5", key="k").json()["reset"] for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("stranger", 404), ("reader", 403), ("editor", 200), ("manager", 200), ("owner", 200), ("admin", 200),
        ("runner", 200), ("other runner", 404),
    ],
)  # fmt: skip
def test_who_may_reset(session: Session, name: str, status: int) -> None:
    assert reset(session, "gpt-5", name).status_code == status
    session.refresh_from_db()
    assert (session.model_override == "") is (status == 200)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"expected_model_override": 5},
        {"expected_model_override": "x" * 257},
        {"expected_model_override": "x", "more": 1},
        [],
    ],
)
def test_bad_bodies_are_refused(session: Session, body: Any) -> None:
    answer = caller("editor").request("POST", url(session, "model-override/reset"), body)

    assert_invalid(answer, "body")

"""/v1/kill-switches: thrown, listed, taken back."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from policies_app.models import KillSwitch
from policies_app.services.revisions import current_revision
from tests.error_shape import assert_error, assert_invalid
from tests.policies_rest.people import local, send

pytestmark = pytest.mark.django_db

URL = "/v1/kill-switches"


def throw(kind: str = "agent", target: str = "ag_1", **rest: Any) -> Any:
    return send(local(), "POST", URL, {"kind": kind, "target": target, **rest})


def test_thrown_switch_is_shown_and_heard_of() -> None:
    before = current_revision()

    answer = throw("user", "olga@example.org", reason="left")

    stored = KillSwitch.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "id": stored.public_id,
        "object": "kill_switch",
        "kind": "user",
        "target": "olga@example.org",
        "reason": "left",
        "created_by": "local",
        "created_at": int(stored.created_at.timestamp()),
    }
    assert send(local(), "GET", URL).json()["data"] == [answer.json()]
    assert current_revision() == before + 1


def test_same_target_is_stopped_once_but_another_kind_is_another() -> None:
    assert throw().status_code == 200

    assert_error(throw(), 409, "already_exists")

    assert throw("host").status_code == 200


def test_switch_is_taken_back_once() -> None:
    path = f"{URL}/{throw().json()['id']}"
    before = current_revision()

    first, second = send(local(), "DELETE", path), send(local(), "DELETE", path)

    assert (first.status_code, first.json()) == (200, {"deleted": True})
    assert (second.status_code, second.content) == (204, b"")
    assert current_revision() == before + 1
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"target": "x"}, "kind"),
        ({"kind": "agent"}, "target"),
        ({"kind": "planet", "target": "x"}, "kind"),
        ({"kind": "agent", "target": ""}, "target"),
        ({"kind": "agent", "target": " x"}, "target"),
        ({"kind": "agent", "target": "x" * 151}, "target"),
        ({"kind": "agent", "target": "x", "reason": "r" * 2001}, "reason"),
        ({"kind": "agent", "target": "x", "colour": "red"}, "colour"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_body_of_the_wrong_form_is_422(body: dict[str, str], place: str) -> None:
    assert_invalid(send(local(), "POST", URL, body), "body", place)


def test_same_key_throws_one_switch() -> None:
    body = {"kind": "agent", "target": "x"}

    answers = [send(local(), "POST", URL, body, **{"Idempotency-Key": "k"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("count", [1, 15])
def test_pages_are_the_newest_first_by_one_statement(count: int) -> None:
    ids = [throw(target=str(number)).json()["id"] for number in range(count)]
    client = local()

    with CaptureQueriesContext(connection) as captured:
        body = client.get(f"{URL}?limit=10").json()

    assert [row["id"] for row in body["data"]] == ids[::-1][:10]
    assert body["has_more"] is (count > 10)
    assert len(captured) == 1


def test_unknown_cursor_is_stale() -> None:
    assert_error(send(local(), "GET", f"{URL}?after=kill_{'0' * 32}"), 400, "stale_cursor")

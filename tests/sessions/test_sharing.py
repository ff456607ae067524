"""GET and PUT /v1/sharing, and what /v1/info says of it."""

from typing import Any

import pytest
from django.test import Client

from sessions_app.models import Grant, Sharing
from tests.error_shape import assert_error, assert_invalid
from tests.sessions.cast import PEOPLE, caller, shared_session

URL = "/v1/sharing"


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


def shown(name: str = "admin") -> dict[str, Any]:
    body: dict[str, Any] = caller(name).request("GET", URL).json()
    return body


def info() -> dict[str, Any]:
    """`/v1/info`, which needs no identity."""
    body = caller("stranger").request("GET", "/v1/info").json()
    return {name: value for name, value in body.items() if "sharing" in name}


def test_the_rules_have_these_fields() -> None:
    assert shown() == {
        "object": "sharing",
        "sharing_mode": "on",
        "editable": True,
        "options": ["on", "read_only", "restricted_read_only", "off"],
        "public_sharing_enabled": True,
        "public_sharing_editable": True,
        "public_sharing_max_level": "read",
        "public_sharing_max_level_editable": True,
        "public_sharing_max_level_options": ["read", "edit"],
        "default_public_sessions": "off",
        "default_public_sessions_editable": False,
        "default_public_sessions_options": ["off"],
    }


@pytest.mark.parametrize("name", [*PEOPLE, "runner"])
def test_everybody_reads_and_administrators_write(name: str) -> None:
    assert shown(name)["editable"] is (name == "admin")

    answer = caller(name).request("PUT", URL, {"sharing_mode": "off"})

    assert answer.status_code == (200 if name == "admin" else 403)
    assert Sharing.objects.exists() is (name == "admin")
    if name == "admin":
        assert answer.json() == {**shown(), "sharing_mode": "off"}
    else:
        assert_error(answer, 403, "forbidden")


def test_the_environment_counts_until_somebody_changes_it(settings: Any) -> None:
    settings.OMNIGENT_SHARING_MODE = "read_only"
    settings.OMNIGENT_PUBLIC_SHARING = False
    assert (shown()["sharing_mode"], shown()["public_sharing_enabled"]) == ("read_only", False)

    caller("admin").request("PUT", URL, {"public_sharing_max_level": "edit"})
    settings.OMNIGENT_SHARING_MODE = "off"

    assert (shown()["sharing_mode"], shown()["public_sharing_enabled"]) == ("read_only", False)
    assert shown()["public_sharing_max_level"] == "edit"


@pytest.mark.parametrize("switch", ["public_sharing", "public_sharing_enabled"])
def test_parts_are_changed_by_themselves(switch: str) -> None:
    for change in ({"sharing_mode": "read_only"}, {switch: False}, {}):
        assert caller("admin").request("PUT", URL, change).status_code == 200

    assert (shown()["sharing_mode"], shown()["public_sharing_enabled"]) == ("read_only", False)


@pytest.mark.parametrize(
    "body",
    [
        {"sharing_mode": "maybe"},
        {"sharing_mode": 1},
        {"public_sharing": "yes"},
        {"public_sharing_enabled": 1},
        {"public_sharing": True, "public_sharing_enabled": False},
        {"public_sharing_max_level": "manage"},
        {"public_sharing_max_level": 2},
        {"default_public_sessions": "all"},
        {"more": 1},
        [],
    ],
)
def test_bad_rules_are_refused(body: Any) -> None:
    assert_invalid(caller("admin").request("PUT", URL, body), "body")
    assert not Sharing.objects.exists()


def test_a_lower_ceiling_holds_for_what_was_granted() -> None:
    session = shared_session()
    caller("admin").request("PUT", URL, {"public_sharing_max_level": "edit"})
    Grant.objects.create(session=session, user_id="__public__", level=2)
    path = f"/v1/sessions/{session.public_id}/comments"
    comment = {"path": "a", "start_index": 0, "end_index": 0, "body": "b"}
    assert caller("stranger").request("POST", path, comment).status_code == 200

    caller("admin").request("PUT", URL, {"public_sharing_max_level": "read"})

    assert_error(caller("stranger").request("POST", path, comment), 403, "forbidden")
    assert caller("stranger").request("GET", path).status_code == 200
    assert caller("editor").request("POST", path, comment).status_code == 200


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, ("on", True, "read")),
        ({"public_sharing_max_level": "edit"}, ("on", True, "edit")),
        ({"public_sharing": False}, ("on", False, "read")),
        ({"sharing_mode": "read_only", "public_sharing_max_level": "edit"}, ("read_only", True, "read")),
        ({"sharing_mode": "restricted_read_only"}, ("restricted_read_only", False, "read")),
        ({"sharing_mode": "off"}, ("off", False, "read")),
    ],
)
def test_info_tells_what_holds(rules: dict[str, Any], expected: tuple[Any, ...]) -> None:
    caller("admin").request("PUT", URL, rules)

    names = ("sharing_mode", "public_sharing_enabled", "public_sharing_max_level")
    assert info() == dict(zip(names, expected, strict=True))


def test_one_user_alone_shares_nothing(reader: Client, settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "single-user"

    assert reader.get("/v1/info").json()["sharing_mode"] == "off"
    assert reader.put(URL, {"sharing_mode": "read_only"}, content_type="application/json").status_code == 200
    assert reader.get(URL).json()["sharing_mode"] == "read_only"

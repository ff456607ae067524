"""Who may do what with policies, their registry and kill switches where people have accounts."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from policies_app.models import DefaultPolicy, KillSwitch
from tests.error_shape import assert_error
from tests.policies_rest.people import NEW, URL, admin, auditor, member, nobody, send

pytestmark = pytest.mark.django_db

CODES = {401: "unauthorized", 403: "forbidden"}
SWITCH = {"kind": "agent", "target": "ag_1"}
Who = Callable[[Settings], Client]


@pytest.mark.parametrize(("who", "status"), [(nobody, 401), (member, 200), (auditor, 200), (admin, 200)])
@pytest.mark.parametrize("path", [URL, f"{URL}/{{id}}", "/v1/policy-registry"])
def test_everybody_with_an_account_reads(settings: Settings, who: Who, status: int, path: str) -> None:
    made = send(admin(settings), "POST", URL, NEW).json()

    answer = send(who(settings), "GET", path.format(**made))

    assert answer.status_code == status
    if status != 200:
        assert_error(answer, status, CODES[status])


@pytest.mark.parametrize(("who", "status"), [(nobody, 401), (member, 403), (auditor, 403)])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", URL, NEW),
        ("POST", URL, {}),
        ("PATCH", f"{URL}/{{id}}", {"enabled": False}),
        ("DELETE", f"{URL}/{{id}}", None),
        ("DELETE", f"{URL}/pol_srv_unknown", None),
        ("GET", "/v1/kill-switches", None),
        ("POST", "/v1/kill-switches", SWITCH),
        ("DELETE", "/v1/kill-switches/{switch}", None),
    ],
)
def test_only_administrators_write(
    settings: Settings, who: Who, status: int, method: str, path: str, body: Any
) -> None:
    made = send(admin(settings), "POST", URL, {**NEW, "name": "there"}).json()
    switch = send(admin(settings), "POST", "/v1/kill-switches", {**SWITCH, "target": "there"}).json()

    answer = send(who(settings), method, path.format(id=made["id"], switch=switch["id"]), body)

    message = "Authentication required" if status == 401 else None
    assert_error(answer, status, CODES[status], message)
    assert list(DefaultPolicy.objects.values_list("name", "enabled")) == [("there", True)]
    assert list(KillSwitch.objects.values_list("target", flat=True)) == ["there"]


def test_policy_tells_who_created_it(settings: Settings) -> None:
    made = send(admin(settings), "POST", URL, NEW).json()

    assert made["created_by"] == "ada"
    assert send(member(settings), "GET", f"{URL}/{made['id']}").json() == made


def test_administrator_walks_through_every_status_of_the_contract(settings: Settings) -> None:
    client = admin(settings)

    made = send(client, "POST", URL, NEW)
    again = send(client, "POST", URL, NEW)
    path = f"{URL}/{made.json()['id']}"
    changed = send(client, "PATCH", path, {"enabled": False})
    unknown_key = send(client, "PATCH", path, {"type": "url"})
    deleted = send(client, "DELETE", path)
    gone = send(client, "DELETE", path)
    missing = send(client, "GET", path)

    statuses = [one.status_code for one in (made, again, changed, unknown_key, deleted, gone, missing)]
    assert statuses == [200, 409, 200, 422, 200, 204, 404]
    assert made.json()["factory_params"] == {"limit": 3}

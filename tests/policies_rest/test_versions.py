"""Versions of server-wide policies, and going back to one of them."""

import pytest

from omnigent.accounts.principal import Principal
from omnigent.errors import OmnigentError
from policies_app.models import PolicyVersion
from policies_app.services import default_policies
from tests.policies_rest.people import ASK, NEW, URL, local, send

pytestmark = pytest.mark.django_db

ADA = Principal(user_id="ada", is_admin=True)


def history(policy_id: str) -> list[tuple[int, str]]:
    rows = PolicyVersion.objects.filter(policy_id=policy_id).order_by("number")
    return [(row.number, row.change) for row in rows]


def test_each_kind_of_change_is_a_version() -> None:
    path = f"{URL}/{send(local(), 'POST', URL, NEW).json()['id']}"
    for changes in ({"enabled": False}, {"enabled": True}, {"name": "b"}, {"name": "c", "enabled": False}):
        send(local(), "PATCH", path, changes)
    send(local(), "DELETE", path)

    assert history(path.rpartition("/")[2]) == [
        (1, "created"),
        (2, "disabled"),
        (3, "enabled"),
        (4, "updated"),
        (5, "updated"),
        (6, "deleted"),
    ]


def test_rollback_restores_what_was_and_is_a_version_itself() -> None:
    made = send(local(), "POST", URL, NEW).json()
    send(local(), "PATCH", f"{URL}/{made['id']}", {"name": "b", "enabled": False})

    default_policies.roll_back(principal=ADA, policy_id=made["id"], number=1)

    shown = send(local(), "GET", f"{URL}/{made['id']}").json()
    assert shown == {**made, "version": 3, "updated_at": shown["updated_at"]}
    assert history(made["id"])[-1] == (3, "rolled_back")


def test_deleted_policy_comes_back_with_its_id_and_age() -> None:
    made = send(local(), "POST", URL, NEW).json()
    send(local(), "DELETE", f"{URL}/{made['id']}")

    default_policies.roll_back(principal=ADA, policy_id=made["id"], number=1)

    shown = send(local(), "GET", f"{URL}/{made['id']}").json()
    assert shown == {**made, "version": 3, "updated_at": shown["updated_at"]}


def test_rollback_into_a_taken_name_is_refused_and_changes_nothing() -> None:
    made = send(local(), "POST", URL, NEW).json()
    send(local(), "PATCH", f"{URL}/{made['id']}", {"name": "b"})
    send(local(), "POST", URL, {**NEW, "handler": ASK, "factory_params": None})

    with pytest.raises(OmnigentError, match="already exists"):
        default_policies.roll_back(principal=ADA, policy_id=made["id"], number=1)

    assert send(local(), "GET", f"{URL}/{made['id']}").json()["name"] == "b"
    assert len(history(made["id"])) == 2


def test_rollback_to_a_version_that_never_was_is_not_found() -> None:
    made = send(local(), "POST", URL, NEW).json()

    with pytest.raises(OmnigentError, match="has no version 9"):
        default_policies.roll_back(principal=ADA, policy_id=made["id"], number=9)

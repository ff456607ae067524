"""PATCH and DELETE /v1/sessions/{id}/policies/{policy_id}: what changes, and the history that it leaves."""

from typing import Any

import pytest

from sessions_app.models import Session, SessionPolicy
from tests.error_shape import assert_error, assert_invalid
from tests.sessions.cast import caller, shared_session, url
from tests.sessions.policy_writing import (
    ASK,
    SERVICE,
    SKILLS,
    added,
    chain_revision,
    delete,
    history,
    listed,
    patch,
    post,
)


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    return shared_session()


def test_a_policy_is_renamed_switched_off_and_given_another_handler(session: Session) -> None:
    made = added(session, handler=ASK, factory_params=None)

    patch(session, made["id"], name="better")
    patch(session, made["id"], enabled=False)
    changed = patch(session, made["id"], handler="omnigent.policies.block_long_sleep").json()

    assert changed["updated_at"] is not None
    expected = {"name": "better", "enabled": False, "handler": "omnigent.policies.block_long_sleep"}
    assert changed == {**made, **expected, "version": 4, "updated_at": changed["updated_at"]}
    assert listed(session) == [changed]


def test_null_and_nothing_leave_it_alone_but_for_the_time(session: Session) -> None:
    made = added(session)

    changed = patch(session, made["id"], name=None).json()

    assert changed == {**made, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] is not None
    assert len(history(made["id"])) == 1


@pytest.mark.parametrize("fields", [{"type": "url"}, {"factory_params": {"limit": 9}}, {"colour": "red"}])
def test_what_is_not_mutable_is_422(session: Session, fields: dict[str, Any]) -> None:
    made = added(session)

    assert_invalid(patch(session, made["id"], **fields), "body", *fields)
    assert listed(session) == [made]


@pytest.mark.parametrize("handler", ["os.system", SERVICE, SKILLS])
def test_another_handler_must_fit_type_and_parameters(session: Session, handler: str) -> None:
    made = added(session)

    assert_error(patch(session, made["id"], handler=handler), 400, "invalid_input")
    assert listed(session) == [made]


def test_a_rename_to_a_taken_name_is_409(session: Session) -> None:
    added(session)
    other = added(session, name="other")

    assert_error(patch(session, other["id"], name="cap"), 409, "already_exists")
    assert patch(session, other["id"], name="other").status_code == 200


def test_a_deleted_policy_is_gone_and_may_be_deleted_again(session: Session) -> None:
    policy_id = added(session)["id"]

    first, second = delete(session, policy_id), delete(session, policy_id)

    assert (first.status_code, first.json()) == (200, {"deleted": True})
    assert (second.status_code, second.json()) == (200, {"deleted": True})
    assert listed(session) == []
    assert_error(patch(session, policy_id, name="x"), 404, "not_found", "Policy not found")


@pytest.mark.parametrize("policy_id", ["pol_" + "0" * 32, "not an id", "x" * 200])
def test_an_unknown_policy_is_404(session: Session, policy_id: str) -> None:
    answer = caller("owner").request("GET", url(session, "policies", policy_id))

    assert_error(answer, 404, "not_found", "Policy not found")


def test_a_policy_of_another_session_is_unknown_here(session: Session) -> None:
    foreign = added(shared_session())["id"]

    assert_error(caller("owner").request("GET", url(session, "policies", foreign)), 404, "not_found")
    assert_error(patch(session, foreign, "owner", enabled=False), 404, "not_found")
    assert delete(session, foreign, "owner").status_code == 200
    assert SessionPolicy.objects.get(public_id=foreign).enabled


def test_every_change_is_a_version_and_moves_the_chain(session: Session) -> None:
    policy_id = added(session)["id"]
    patch(session, policy_id, enabled=False)
    patch(session, policy_id, enabled=True)
    patch(session, policy_id, "owner", name="new")
    patch(session, policy_id)
    delete(session, policy_id)

    kept = ("session", session.public_id)
    assert history(policy_id) == [
        (1, "created", "editor", *kept),
        (2, "disabled", "editor", *kept),
        (3, "enabled", "editor", *kept),
        (4, "updated", "owner", *kept),
        (5, "deleted", "editor", *kept),
    ]
    assert chain_revision(session) == 5


def test_a_refused_change_leaves_no_version(session: Session) -> None:
    made = added(session)
    post(session)
    patch(session, made["id"], handler="os.system")

    assert len(history(made["id"])) == 1
    assert chain_revision(session) == 1

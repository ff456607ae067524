"""/v1/policies on a server with one user: what is created, changed, deleted, and what is refused."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from policies_app.models import DefaultPolicy, PolicyVersion
from policies_app.services.revisions import current_revision
from tests.error_shape import assert_error, assert_invalid
from tests.policies_rest.conftest import Build
from tests.policies_rest.people import ASK, BLOCK_SKILLS, MAX_CALLS, NEW, URL, local, send

pytestmark = pytest.mark.django_db


def create(**changes: Any) -> Any:
    return send(local(), "POST", URL, {**NEW, **changes})


def created(**changes: Any) -> Any:
    answer = create(**changes)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_created_policy_is_shown_as_the_contract_has_it() -> None:
    body = created()

    stored = DefaultPolicy.objects.get()
    assert body == {
        "id": stored.public_id,
        "object": "default_policy",
        "name": "a",
        "type": "python",
        "handler": MAX_CALLS,
        "factory_params": {"limit": 3},
        "enabled": True,
        "created_at": int(stored.created_at.timestamp()),
        "updated_at": None,
        "created_by": None,
        "mode": "enforce",
        "approvers": [],
        "quorum": 1,
        "ask_timeout": None,
        "version": 1,
    }
    assert body["id"].startswith("pol_srv_")
    assert len(body["id"]) == len("pol_srv_") + 32


def test_factory_params_are_absent_when_there_are_none() -> None:
    assert "factory_params" not in created(handler=ASK, factory_params=None)


def test_list_has_policies_in_the_order_of_their_creation() -> None:
    assert send(local(), "GET", URL).json() == {"object": "list", "data": []}
    rows = [created(name=name) for name in ("c", "a", "b")]

    assert send(local(), "GET", URL).json() == {"object": "list", "data": rows}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"factory_params": {"limit": "3"}}, "must be integer"),
        ({"factory_params": {"limit": True}}, "must be integer"),
        ({"factory_params": {"lim": 3}}, "unknown parameter 'lim'"),
        ({"factory_params": {"limit": -1}}, "'limit' must be at least"),
        ({"handler": BLOCK_SKILLS, "factory_params": None}, "requires 'blocked'"),
        ({"handler": ASK, "factory_params": {"x": 1}}, "takes no parameters"),
        ({"handler": "os.system", "factory_params": None}, "is not registered"),
        ({"handler": "omnigent.policies.builtins.safety.nothing"}, "is not registered"),
        (
            {"handler": "omnigent.policies.builtins.cel.cel_policy", "factory_params": {"expression": "1 +"}},
            "expression",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_handler_that_cannot_be_applied_is_400(changes: dict[str, Any], words: str) -> None:
    body = assert_error(create(**changes), 400, "invalid_input")

    assert words in body["error"]["message"]
    assert not DefaultPolicy.objects.exists()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"type": "zap"}, "type"),
        ({"handler": "nodots"}, "handler"),
        ({"handler": "1.a"}, "handler"),
        ({"handler": "a..b"}, "handler"),
        ({"type": "url", "handler": "http://example.com/p", "factory_params": None}, "handler"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": 7}, "name"),
        ({"factory_params": [1]}, "factory_params"),
        ({"mode": "loud"}, "mode"),
        ({"quorum": 0}, "quorum"),
        ({"ask_timeout": 0}, "ask_timeout"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_body_of_the_wrong_form_is_422(changes: dict[str, Any], place: str) -> None:
    assert_invalid(create(**changes), "body", place)


@pytest.mark.parametrize("name", ["name", "type", "handler"])
def test_missing_member_is_422(name: str) -> None:
    body = {key: value for key, value in NEW.items() if key != name}

    assert_invalid(send(local(), "POST", URL, body), "body", name, kind="missing")


def test_params_of_a_url_policy_are_422() -> None:
    answer = create(type="url", handler="https://example.com/policy", factory_params={})

    assert_error(answer, 422, "invalid_input")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"name": "a\\u0000"}'])
def test_body_that_is_no_object_is_422(raw: bytes) -> None:
    answer = local().post(URL, raw, content_type="application/json")

    assert_error(answer, 422, "invalid_input")


def test_unknown_members_of_a_new_policy_are_ignored() -> None:
    assert "colour" not in created(colour="red")


def test_url_policy_keeps_its_address() -> None:
    body = created(type="url", handler="https://example.com/policy?x=1", factory_params=None)

    assert (body["type"], body["handler"]) == ("url", "https://example.com/policy?x=1")


@pytest.mark.parametrize(
    "handler",
    [
        *("https://127.0.0.1/p", "https://10.0.0.1/p", "https://[::1]/p", "https://169.254.169.254/latest"),
        *("https://user:pass@example.com/p", "https://example.com:8443/p", "https:///p", "https://0x7f.1/p"),
    ],
)
def test_address_that_a_url_policy_may_not_use_is_400(handler: str) -> None:
    assert_error(create(type="url", handler=handler, factory_params=None), 400, "invalid_input")


def test_operators_addresses_may_be_used(configured: Build) -> None:
    configured(allowed=["10.0.0.0/24"], ports=["443", "8443"])

    created(type="url", handler="https://10.0.0.1:8443/p", factory_params=None)

    assert_error(
        create(name="b", type="url", handler="https://10.0.1.1/p", factory_params=None), 400, "invalid_input"
    )


def test_taken_name_is_409_and_changes_nothing() -> None:
    created()
    before = current_revision()

    assert_error(create(), 409, "already_exists")

    assert DefaultPolicy.objects.count() == 1
    assert (current_revision(), PolicyVersion.objects.count()) == (before, 1)


def test_name_can_be_taken_again_after_a_deletion() -> None:
    send(local(), "DELETE", f"{URL}/{created()['id']}")

    created()


def test_one_policy_is_read_by_its_id_or_its_bare_digits() -> None:
    body = created()

    for text in (body["id"], body["id"].removeprefix("pol_srv_")):
        assert send(local(), "GET", f"{URL}/{text}").json() == body


@pytest.mark.parametrize("policy_id", ["pol_srv_" + "0" * 32, "pol_x", "..", "%00", "a b", "é", "x" * 300])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_unknown_and_malformed_ids_are_404(method: str, policy_id: str) -> None:
    answer = send(local(), method, f"{URL}/{policy_id}", None if method == "GET" else {})

    assert_error(answer, 404, "not_found")


def test_patch_changes_what_it_names_and_stamps_the_time() -> None:
    body = created()

    answer = send(local(), "PATCH", f"{URL}/{body['id']}", {"name": "b", "enabled": False, "handler": None})

    assert answer.status_code == 200
    shown = answer.json()
    assert shown["updated_at"] >= body["created_at"]
    assert shown == {**body, "name": "b", "enabled": False, "version": 2, "updated_at": shown["updated_at"]}
    assert send(local(), "GET", f"{URL}/{body['id']}").json() == shown


def test_empty_patch_stamps_the_time_and_is_no_new_version() -> None:
    body = created()
    before = current_revision()

    answer = send(local(), "PATCH", f"{URL}/{body['id']}", {})

    assert answer.json() == {**body, "updated_at": answer.json()["updated_at"]}
    assert answer.json()["updated_at"] is not None
    assert (current_revision(), PolicyVersion.objects.count()) == (before, 1)


@pytest.mark.parametrize(
    "changes", [{"type": "url"}, {"factory_params": {"limit": 4}}, {"colour": "red"}, {"enabled": "yes"}]
)
def test_what_a_patch_cannot_change_is_422(changes: dict[str, Any]) -> None:
    body = created()

    assert_invalid(send(local(), "PATCH", f"{URL}/{body['id']}", changes), "body", next(iter(changes)))
    assert send(local(), "GET", f"{URL}/{body['id']}").json() == body


@pytest.mark.parametrize("handler", ["https://example.com/p", "nodots", "os.system", ASK, BLOCK_SKILLS])
def test_patch_with_a_handler_that_does_not_fit_is_400(handler: str) -> None:
    body = created()

    answer = send(local(), "PATCH", f"{URL}/{body['id']}", {"handler": handler})

    assert_error(answer, 400, "invalid_input")
    assert send(local(), "GET", f"{URL}/{body['id']}").json() == body


def test_patch_to_a_taken_name_is_409() -> None:
    created()
    other = created(name="b")

    assert_error(send(local(), "PATCH", f"{URL}/{other['id']}", {"name": "a"}), 409, "already_exists")


def test_delete_says_so_once_and_then_204() -> None:
    body = created()

    first = send(local(), "DELETE", f"{URL}/{body['id']}")
    second = send(local(), "DELETE", f"{URL}/{body['id']}")

    assert (first.status_code, first.json()) == (200, {"deleted": True})
    assert (second.status_code, second.content) == (204, b"")
    assert send(local(), "DELETE", f"{URL}/nothing.like.it").status_code == 204


def test_same_key_gives_the_first_answer_and_another_body_is_refused() -> None:
    key = {"Idempotency-Key": "one"}

    first = send(local(), "POST", URL, NEW, **key)
    again = send(local(), "POST", URL, NEW, **key)
    other = send(local(), "POST", URL, {**NEW, "name": "b"}, **key)

    assert (again.status_code, again.content) == (200, first.content)
    assert_error(other, 422, "idempotency_mismatch")
    assert DefaultPolicy.objects.count() == 1


def test_every_change_is_heard_of_by_the_revision() -> None:
    seen = [current_revision()]
    body = created()
    seen.append(current_revision())
    for method, changes in (("PATCH", {"enabled": False}), ("DELETE", None)):
        send(local(), method, f"{URL}/{body['id']}", changes)
        seen.append(current_revision())

    assert seen == sorted(set(seen))


@pytest.mark.parametrize("count", [1, 30])
def test_list_takes_one_statement_whatever_its_length(count: int) -> None:
    for number in range(count):
        created(name=str(number))
    client = local()

    with CaptureQueriesContext(connection) as captured:
        answer = client.get(URL)

    assert len(answer.json()["data"]) == count
    assert len(captured) == 1

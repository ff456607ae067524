"""GET /v1/policy-registry: the server's handlers and those of the operator's modules."""

import pytest

from tests.error_shape import assert_error
from tests.policies_rest.conftest import Build
from tests.policies_rest.people import NEW, URL, local, send

pytestmark = pytest.mark.django_db

MODULE = "tests.policies_rest.operators_module"


def test_documented_handlers_come_first_with_their_documented_members() -> None:
    body = send(local(), "GET", "/v1/policy-registry").json()

    assert set(body) == {"object", "data"}
    assert body["object"] == "list"
    asks, sleeps = body["data"][:2]
    assert asks["handler"] == "omnigent.policies.ask_on_os_tools"
    assert (asks["kind"], asks["params_schema"]) == ("python", {})
    assert sleeps["handler"] == "omnigent.policies.block_long_sleep"
    assert sleeps["kind"] == "python"
    assert sleeps["params_schema"]["properties"]["max_seconds"]["default"] == 5


def test_rows_have_one_shape_and_hide_what_is_internal() -> None:
    rows = send(local(), "GET", "/v1/policy-registry").json()["data"]

    members = {"handler", "kind", "name", "description", "params_schema", "internal_only", "callable_kind"}
    assert all(set(row) == members for row in rows)
    assert not any(row["internal_only"] for row in rows)
    assert len({row["handler"] for row in rows}) == len(rows)


def test_handlers_of_an_operators_module_are_listed_and_can_be_attached(configured: Build) -> None:
    new = {**NEW, "handler": f"{MODULE}.deny_everything", "factory_params": None}
    assert_error(send(local(), "POST", URL, new), 400, "invalid_input")

    configured(modules=[MODULE])

    rows = send(local(), "GET", "/v1/policy-registry").json()["data"]
    row = next(one for one in rows if one["handler"].startswith(MODULE))
    assert row == {
        "handler": f"{MODULE}.deny_everything",
        "kind": "python",
        "name": "Deny Everything",
        "description": "Denies everything.",
        "params_schema": {},
        "internal_only": False,
        "callable_kind": "callable",
    }
    assert send(local(), "POST", URL, new).status_code == 200


def test_internal_handler_is_not_listed_but_can_be_attached(configured: Build) -> None:
    configured(modules=[MODULE])

    rows = send(local(), "GET", "/v1/policy-registry").json()["data"]
    made = send(local(), "POST", URL, {**NEW, "handler": f"{MODULE}.hidden", "factory_params": None})

    assert f"{MODULE}.hidden" not in {row["handler"] for row in rows}
    assert made.status_code == 200

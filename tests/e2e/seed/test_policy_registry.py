"""GET /v1/policy-registry, sentence by sentence of the published documentation."""

from typing import Any

import httpx
import pytest

from tests.e2e.api import Api
from tests.e2e.seed.rules import ASK_ON_OS, LONG_SLEEP, House, answered, attach, result, shell, unique

SLEEP_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "max_seconds": {
            "type": "integer",
            "description": "Maximum allowed sleep duration in seconds.",
            "default": 5,
        }
    },
}


@pytest.fixture(scope="module")
def registry(member: Api) -> dict[str, dict[str, Any]]:
    """The registry's rows by handler."""
    answer = member.get("/v1/policy-registry")
    assert (set(answer), answer["object"]) == ({"object", "data"}, "list")
    return {row["handler"]: row for row in answer["data"]}


def test_it_is_a_catalog_of_all_built_in_and_registered_handlers(registry: dict[str, Any]) -> None:
    assert {ASK_ON_OS, LONG_SLEEP, "github_mcp_policy.block_non_misc_push"} <= set(registry)
    assert len(registry) > 20


def test_every_row_has_handler_kind_description_and_params_schema(registry: dict[str, Any]) -> None:
    for row in registry.values():
        assert {"handler", "kind", "description", "params_schema"} <= set(row)
        assert row["description"]
        assert "." in row["handler"]


def test_the_picker_has_what_a_form_needs(registry: dict[str, Any]) -> None:
    """The handlers, their descriptions, and their parameter schemas, in words."""
    for row in registry.values():
        properties = row["params_schema"].get("properties", {})
        assert all(prop.get("description") for prop in properties.values()), row["handler"]


def test_ask_on_os_tools_is_the_row_of_the_example(registry: dict[str, Any]) -> None:
    row = registry[ASK_ON_OS]

    words = "Ask for approval before running any OS-level tool (bash, edit, read)."
    assert (row["kind"], row["description"], row["params_schema"]) == ("python", words, {})


def test_block_long_sleep_is_the_row_of_the_example(registry: dict[str, Any]) -> None:
    row = registry[LONG_SLEEP]

    words = "Deny shell sleep commands longer than a configured threshold."
    assert (row["kind"], row["description"]) == ("python", words)
    assert SLEEP_SCHEMA.items() <= row["params_schema"].items()


def test_kind_is_python_for_dotted_import_paths(registry: dict[str, Any]) -> None:
    assert {row["kind"] for row in registry.values()} == {"python"}


def test_params_schema_is_an_empty_object_for_handlers_without_parameters(registry: dict[str, Any]) -> None:
    assert all(row["params_schema"] == {} for row in registry.values() if row["callable_kind"] == "callable")


def test_a_handler_is_what_a_session_policy_is_attached_with(api: Api, registry: dict[str, Any]) -> None:
    session_id = api.create(host_id=None)["id"]

    assert attach(api, session_id, registry[ASK_ON_OS]["handler"])["handler"] == ASK_ON_OS


def test_a_handler_is_what_a_server_wide_policy_is_created_with(
    house: House, registry: dict[str, Any]
) -> None:
    assert house.add(registry[LONG_SLEEP]["handler"])["handler"] == LONG_SLEEP


def test_params_schema_is_what_factory_params_are_checked_by(house: House) -> None:
    for wrong in ({"max_seconds": "5"}, {"seconds": 5}):
        body = {"name": unique(), "type": "python", "handler": LONG_SLEEP, "factory_params": wrong}
        assert house.post(body).status_code == httpx.codes.BAD_REQUEST
    assert house.add(LONG_SLEEP, factory_params={"max_seconds": 60})["factory_params"] == {"max_seconds": 60}


def test_ask_on_os_tools_asks_before_running_any_os_level_tool(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    house.add(ASK_ON_OS)

    question, verdict = answered(api, session_id, shell("ls"), "accept")
    assert (question["params"]["phase"], verdict["result"]) == ("tool_call", "POLICY_ACTION_ALLOW")
    _, verdict = answered(api, session_id, shell("ls -l"), "decline")
    assert verdict["result"] == "POLICY_ACTION_DENY"


def test_block_long_sleep_denies_sleeps_longer_than_the_threshold(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    house.add(LONG_SLEEP)

    assert result(api, session_id, shell("sleep 5")) == "allow"
    assert result(api, session_id, shell("sleep 6")) == "deny"


def test_max_seconds_is_the_maximum_allowed_sleep_duration(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    house.add(LONG_SLEEP, factory_params={"max_seconds": 60})

    assert result(api, session_id, shell("sleep 60")) == "allow"
    assert result(api, session_id, shell("sleep 61")) == "deny"

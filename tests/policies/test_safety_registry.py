"""The entries that the safety policies show in the registry."""

import inspect
from typing import Any

import jsonschema
import pytest

from omnigent.policies.builtins import safety
from omnigent.policies.builtins.safety import POLICY_REGISTRY

Entry = dict[str, Any]
by_handler = pytest.mark.parametrize(
    "entry", POLICY_REGISTRY, ids=[row["handler"] for row in POLICY_REGISTRY]
)


def attribute(entry: Entry) -> Any:
    return getattr(safety, entry["handler"].rsplit(".", 1)[-1])


def test_the_published_examples_are_exact() -> None:
    shown = {
        row["handler"]: (row["description"], row.get("params_schema", {})) for row in POLICY_REGISTRY[:2]
    }

    assert shown == {
        "omnigent.policies.ask_on_os_tools": (
            "Ask for approval before running any OS-level tool (bash, edit, read).",
            {},
        ),
        "omnigent.policies.block_long_sleep": (
            "Deny shell sleep commands longer than a configured threshold.",
            {
                "type": "object",
                "properties": {
                    "max_seconds": {
                        "type": "integer",
                        "description": "Maximum allowed sleep duration in seconds.",
                        "default": 5,
                    }
                },
            },
        ),
    }


def test_the_short_paths_have_the_long_ones_as_aliases() -> None:
    assert [row["aliases"] for row in POLICY_REGISTRY[:2]] == [
        ["omnigent.policies.builtins.safety.ask_on_os_tools"],
        ["omnigent.policies.builtins.safety.block_long_sleep"],
    ]


@by_handler
def test_an_entry_describes_its_handler(entry: Entry) -> None:
    parameters = inspect.signature(attribute(entry)).parameters
    schema = entry.get("params_schema", {})

    assert entry["description"].endswith(".")
    assert entry["kind"] == ("factory" if schema else "callable")
    jsonschema.Draft202012Validator.check_schema(schema)
    if schema:
        assert set(schema["properties"]) == set(parameters)


@by_handler
def test_defaults_in_the_schema_are_those_of_the_factory(entry: Entry) -> None:
    parameters = inspect.signature(attribute(entry)).parameters
    for name, shown in entry.get("params_schema", {}).get("properties", {}).items():
        assert shown["description"]
        if "default" in shown:
            # None stands for an empty list in the code, which must not share one.
            assert (parameters[name].default or []) == (shown["default"] or [])


def test_only_the_guards_are_kept_out_of_the_picker() -> None:
    internal = {row["handler"].rsplit(".", 1)[-1] for row in POLICY_REGISTRY if row.get("internal_only")}

    assert internal == {"ask_on_add_policy", "ask_on_scheduled_task_change"}

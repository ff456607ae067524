"""The registry: which handlers may be attached, and what becomes of an operator's modules."""

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from jsonschema import Draft202012Validator

from omnigent.policies.builtins import cel, context, cost, prompt, routing
from omnigent.policies.registry import Entry, EntryError, Registry, build_registry

OURS = [row for module in (cost, cel, prompt, routing, context) for row in module.POLICY_REGISTRY]
HANDLER = """
    def guard(event):
        return None
"""
Write = Callable[[str, str], str]


@pytest.fixture
def operator_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Write:
    """Writes a module of the operator's, importable during the test only."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(dedent(source))
        request.addfinalizer(lambda: sys.modules.pop(name, None))
        return name

    return write


def entry(handler: str = "house.guard", **rest: object) -> Entry:
    fields = {"kind": "callable", "name": "Guard", "description": "Guards.", "target": print}
    return Entry(handler=handler, **{**fields, **rest})  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("row", OURS, ids=lambda row: row["handler"].rpartition(".")[2])
def test_a_builtin_is_found_with_its_complete_schema(row: dict[str, object]) -> None:
    found = build_registry().get(str(row["handler"]))

    assert found is not None and not found.foreign
    Draft202012Validator.check_schema(found.params_schema)
    assert found.params_schema["additionalProperties"] is False
    for name, schema in found.params_schema["properties"].items():
        assert schema["type"] and schema["description"], name


@pytest.mark.parametrize("handler", ["os.system", "nodots", "", "omnigent.policies.registry.Entry"])
def test_code_that_nobody_registered_is_not_found(handler: str) -> None:
    assert build_registry().get(handler) is None


def test_an_entry_is_shown_with_python_as_its_kind() -> None:
    registry = build_registry()
    found = registry.get("omnigent.policies.builtins.cel.cel_policy")
    assert found is not None

    shown = registry.entry_json(found)

    assert shown["kind"] == "python"
    assert shown["callable_kind"] == "factory"
    assert shown["name"] == "CEL expression"
    assert shown["internal_only"] is False
    assert set(shown) == {
        *("handler", "kind", "name", "description", "params_schema", "internal_only", "callable_kind")
    }


def test_a_handler_without_parameters_is_shown_with_an_empty_schema() -> None:
    assert Registry().entry_json(entry())["params_schema"] == {}


def test_the_two_documented_handlers_are_listed_first_and_internal_ones_not_at_all() -> None:
    registry = Registry(
        [
            entry("house.first"),
            entry("house.hidden", internal_only=True),
            entry("omnigent.policies.block_long_sleep"),
            entry("house.second"),
            entry("omnigent.policies.ask_on_os_tools"),
        ]
    )

    listed = [item.handler.rpartition(".")[2] for item in registry.listed()]

    assert listed == ["ask_on_os_tools", "block_long_sleep", "first", "second"]
    assert registry.get("house.hidden") is not None


def test_an_alias_finds_the_same_entry() -> None:
    registry = Registry([entry("house.guard", aliases=("old_house.guard",))])

    assert registry.get("old_house.guard") is registry.get("house.guard")


@pytest.mark.parametrize("name", ["house.guard", "old_house.guard"])
def test_nothing_replaces_a_handler_or_its_alias(name: str) -> None:
    registry = Registry([entry("house.guard", aliases=("old_house.guard",))])

    with pytest.raises(EntryError, match="registered already"):
        registry.add(entry("other.guard", aliases=(name,)))

    assert registry.get("other.guard") is None


def test_an_operators_handler_is_foreign_and_owns_no_reserved_counter(operator_module: Write) -> None:
    name = operator_module(
        "house_rules",
        HANDLER
        + """
    POLICY_REGISTRY = [{"handler": "house_rules.guard", "kind": "callable", "description": "Guards.",
                        "counters": ["_policy_tool_call_count"]}]
    """,
    )

    found = build_registry([name]).get("house_rules.guard")

    assert found is not None
    assert found.foreign
    assert found.counters == frozenset()
    assert found.name == "Guard"


@pytest.mark.parametrize(
    "source",
    ["raise RuntimeError('broken')", "import sys; sys.exit(3)", "import no_such_module_anywhere", "x = 1"],
    ids=["raises", "exits", "imports what is missing", "has no registry"],
)
def test_a_module_that_cannot_be_used_is_left_out_and_logged(
    source: str, operator_module: Write, caplog: pytest.LogCaptureFixture
) -> None:
    name = operator_module("broken_rules", source)
    caplog.clear()

    registry = build_registry([name, "no_such_rules"])

    assert registry.get("omnigent.policies.builtins.cel.cel_policy") is not None
    logged = {getattr(record, "policy_module", None) for record in caplog.records}
    assert {"broken_rules", "no_such_rules"} <= logged


@pytest.mark.parametrize(
    "row",
    [
        "'house_rules.guard'",
        "{'kind': 'callable', 'description': 'x'}",
        "{'handler': 'guard', 'kind': 'callable', 'description': 'x'}",
        "{'handler': 'house_rules.guard; import os', 'kind': 'callable', 'description': 'x'}",
        "{'handler': 'house_rules.guard', 'description': 'x'}",
        "{'handler': 'house_rules.guard', 'kind': 'python', 'description': 'x'}",
        "{'handler': 'house_rules.guard', 'kind': 'callable'}",
        "{'handler': 'house_rules.gone', 'kind': 'callable', 'description': 'x'}",
        "{'handler': 'house_rules.NUMBER', 'kind': 'callable', 'description': 'x'}",
        "{'handler': 'house_rules.guard', 'kind': 'factory', 'description': 'x', 'params_schema': []}",
        "{'handler': 'house_rules.guard', 'kind': 'factory', 'description': 'x', 'params_schema': "
        "{'type': 'whole number'}}",
        "{'handler': 'house_rules.guard', 'kind': 'callable', 'description': 'x', 'internal_only': 'no'}",
        "{'handler': 'house_rules.guard', 'kind': 'callable', 'description': 'x', 'aliases': 'a.b'}",
        "{'handler': 'house_rules.guard', 'kind': 'callable', 'description': 'x', 'needs': ['moon']}",
    ],
)
def test_a_malformed_entry_is_left_out_and_its_neighbour_stays(row: str, operator_module: Write) -> None:
    name = operator_module(
        "house_rules",
        HANDLER
        + f"""
    NUMBER = 3
    other = guard
    POLICY_REGISTRY = [{row}, {{"handler": "house_rules.other", "kind": "callable", "description": "x"}}]
    """,
    )

    registry = build_registry([name])

    assert registry.get("house_rules.guard") is None
    assert registry.get("house_rules.other") is not None


def test_an_operator_cannot_replace_a_builtin(operator_module: Write) -> None:
    taken = "omnigent.policies.builtins.cel.cel_policy"
    name = operator_module(
        "house_rules",
        HANDLER
        + f"""
    POLICY_REGISTRY = [{{"handler": "house_rules.guard", "kind": "callable", "description": "x",
                        "aliases": ["{taken}"]}}]
    """,
    )

    registry = build_registry([name])

    found = registry.get(taken)
    assert found is not None and not found.foreign
    assert registry.get("house_rules.guard") is None

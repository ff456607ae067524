"""Parameters are checked before a policy is attached, and what is wrong is said in words."""

from typing import Any

import pytest

from omnigent.policies.params import problems
from omnigent.policies.registry import Entry

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
        "blocked": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "action": {"type": "string", "enum": ["ASK", "DENY"]},
        "rate": {"type": "number", "exclusiveMinimum": 0},
        "quiet": {"type": "boolean"},
        "points": {"type": "object", "additionalProperties": {"type": "integer"}},
        "path": {"type": "string", "minLength": 1, "pattern": "^/"},
    },
    "required": ["limit", "blocked"],
}


def entry(schema: dict[str, Any] | None = None, kind: str = "factory") -> Entry:
    return Entry(
        handler="house.guard",
        kind=kind,  # type: ignore[arg-type]  # one of the two
        name="Guard",
        description="Guards.",
        target=print,
        params_schema=SCHEMA if schema is None else schema,
    )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"blocked": []}, []),
        ({"blocked": ["a"], "limit": 3, "action": "ASK", "rate": 0.5, "quiet": True}, []),
        ({"blocked": [], "points": {"anything": 4}}, []),
        (None, ["requires 'blocked'"]),
        ({}, ["requires 'blocked'"]),
        ({"blocked": [], "lim": 3}, ["unknown parameter 'lim'"]),
        ({"blocked": [], "a": 3, "b": 4}, ["unknown parameter 'a'", "unknown parameter 'b'"]),
        ({"blocked": [], "limit": "3"}, ["'limit' must be integer"]),
        ({"blocked": [], "limit": True}, ["'limit' must be integer"]),
        ({"blocked": [], "limit": 3.0}, ["'limit' must be integer"]),
        ({"blocked": [], "limit": None}, ["'limit' must be integer"]),
        ({"blocked": [], "rate": True}, ["'rate' must be number"]),
        ({"blocked": [], "rate": float("nan")}, ["'rate' must be number"]),
        ({"blocked": [], "rate": float("inf")}, ["'rate' must be number"]),
        ({"blocked": [], "quiet": 1}, ["'quiet' must be boolean"]),
        ({"blocked": "a"}, ["'blocked' must be array"]),
        ({"blocked": ["a", 1]}, ["'blocked[1]' must be string"]),
        ({"blocked": ["a"] * 4}, ["'blocked' must have at most 3 items"]),
        ({"blocked": [], "limit": 0}, ["'limit' must be at least 1"]),
        ({"blocked": [], "limit": 101}, ["'limit' must be at most 100"]),
        ({"blocked": [], "rate": 0}, ["'rate' must be greater than 0"]),
        ({"blocked": [], "action": "WARN"}, ["'action' must be one of 'ASK' or 'DENY'"]),
        ({"blocked": [], "points": {"a": "b"}}, ["'points.a' must be integer"]),
        ({"blocked": [], "path": "a"}, ["'path' must match ^/"]),
        (
            {"limit": "x", "lim": 1},
            ["'limit' must be integer", "requires 'blocked'", "unknown parameter 'lim'"],
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(params: dict[str, Any] | None, said: list[str]) -> None:
    assert sorted(problems(entry(), params)) == said


def test_alternatives_are_named() -> None:
    schema = {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}

    assert problems(entry(schema), {}) == ["requires 'a' or 'b'"]


def test_a_direct_callable_takes_no_parameters() -> None:
    assert problems(entry({}, "callable"), {"limit": 1}) == ["house.guard takes no parameters"]
    assert problems(entry({}, "callable"), None) == []


def test_a_factory_without_a_schema_takes_anything() -> None:
    assert problems(entry({}), {"anything": [1, {"goes": None}]}) == []


def test_a_factory_may_take_names_that_its_schema_does_not_list() -> None:
    schema = {"properties": {}, "additionalProperties": {"type": "integer"}}

    assert problems(entry(schema), {"extra": 1}) == []
    assert problems(entry(schema), {"extra": "1"}) == ["'extra' must be integer"]


def test_a_schema_that_refers_elsewhere_is_a_problem_and_not_fetched() -> None:
    schema = {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}

    (said,) = problems(entry(schema), {"a": 1})

    assert "refers to" in said

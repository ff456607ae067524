"""Bodies and queries: every way to be wrong, in FastAPI's shape."""

from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from omnigent.api.errors import error_body
from omnigent.api.pagination import PageQuery
from omnigent.api.validation import MAX_DEPTH, MAX_PROBLEMS, ValidationFailed, parse, parse_query


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=20)
    count: int = Field(default=0, ge=0, le=10)
    labels: dict[str, str] = {}
    anything: Any = None


def problems(raw: bytes) -> list[dict[str, Any]]:
    with pytest.raises(ValidationFailed) as caught:
        parse(Note, raw)
    status, body, _ = error_body(caught.value)
    assert status == 422
    assert body["error"]["code"] == "invalid_input"
    assert body["error"]["message"]
    orjson.dumps(body)
    detail: list[dict[str, Any]] = body["detail"]
    return detail


def test_a_good_body_becomes_the_model() -> None:
    note = parse(Note, '{"title":"ü\\u00e9😀","count":3,"labels":{"a":"b"}}'.encode())

    assert note == Note(title="üé😀", count=3, labels={"a": "b"})


@pytest.mark.parametrize(
    ("raw", "kind", "loc"),
    [
        (b"{}", "missing", ["body", "title"]),
        (b'{"title":1}', "string_type", ["body", "title"]),
        (b'{"title":null}', "string_type", ["body", "title"]),
        (b'{"title":"' + b"x" * 21 + b'"}', "string_too_long", ["body", "title"]),
        (b'{"title":"a","count":11}', "less_than_equal", ["body", "count"]),
        (b'{"title":"a","count":"x"}', "int_parsing", ["body", "count"]),
        (b'{"title":"a","count":1.5}', "int_from_float", ["body", "count"]),
        (b'{"title":"a","labels":{"k":1}}', "string_type", ["body", "labels", "k"]),
        (b'{"title":"a","labels":[]}', "dict_type", ["body", "labels"]),
        (b'{"title":"a","other":1}', "extra_forbidden", ["body", "other"]),
        (b"[]", "model_attributes_type", ["body"]),
        (b"null", "model_attributes_type", ["body"]),
        (b'"text"', "model_attributes_type", ["body"]),
        (b"1", "model_attributes_type", ["body"]),
        (b"", "missing", ["body"]),
        (b"  \n", "missing", ["body"]),
    ],
)
def test_a_wrong_body_is_located(raw: bytes, kind: str, loc: list[Any]) -> None:
    [problem] = problems(raw)

    assert (problem["type"], problem["loc"]) == (kind, loc)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"{]",
        b'{"title":}',
        b"{'title':'a'}",
        b'{"title":"a",}',
        b'{"title":"a"} x',
        b'{"title":NaN}',
        b'{"title":Infinity}',
        b"title=a",
        b'{"title":"\xff"}',
        b'{"title":"\xc3"}',
        b'{"title":"\xed\xa0\x80"}',
        b'{"title":"\\ud800"}',
        b'{"title":"\\udc00\\ud800"}',
        b'{"\\ud800":1}',
        b'{"title":"a\x00b"}',
        b'{"title":"a\nb"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"[" * 5000,
        b"[" * 5000 + b"]" * 5000,
    ],
)
def test_malformed_json_is_json_invalid_with_an_offset(raw: bytes) -> None:
    [problem] = problems(raw)

    assert problem["type"] == "json_invalid"
    assert problem["loc"][0] == "body"
    assert isinstance(problem["loc"][1], int)
    assert problem["ctx"]["error"]


@pytest.mark.parametrize(
    ("raw", "loc"),
    [
        (b'{"title":"a\\u0000b"}', ["body", "title"]),
        (b'{"title":"a","labels":{"k":"\\u0000"}}', ["body", "labels", "k"]),
        (b'{"title":"a","labels":{"k\\u0000":"v"}}', ["body", "labels", "k\0"]),
        (b'{"title":"a","anything":[[{"x":["\\u0000"]}]]}', ["body", "anything", 0, 0, "x", 0]),
    ],
)
def test_nul_characters_are_refused_wherever_they_stand(raw: bytes, loc: list[Any]) -> None:
    assert problems(raw)[0]["loc"] == loc


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parse(Note, b'{"title":"\\\\u0000"}').title == "\\u0000"


def nested(depth: int) -> bytes:
    return b'{"title":"a","anything":' + b"[" * depth + b"]" * depth + b"}"


def test_nesting_is_allowed_up_to_the_cap_and_refused_beyond() -> None:
    assert parse(Note, nested(MAX_DEPTH - 1)).title == "a"
    assert problems(nested(MAX_DEPTH + 1))[0]["type"] == "json_invalid"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert parse(Note, b'{"title":"a","anything":[' + b",".join([b"[]"] * 500) + b"]}").title == "a"


def test_the_list_of_problems_and_what_it_repeats_are_bounded() -> None:
    raw = orjson.dumps({"title": "a", "labels": {str(n): n for n in range(5000)}})

    found = problems(raw)

    assert len(found) == MAX_PROBLEMS
    assert problems(orjson.dumps({"title": "x" * 100_000}))[0]["input"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "limit=0",
            {
                "type": "greater_than_equal",
                "loc": ["query", "limit"],
                "msg": "Input should be greater than or equal to 1",
                "input": "0",
                "ctx": {"ge": 1},
            },
        ),
        (
            "limit=1001",
            {
                "type": "less_than_equal",
                "loc": ["query", "limit"],
                "msg": "Input should be less than or equal to 1000",
                "input": "1001",
                "ctx": {"le": 1000},
            },
        ),
        (
            "order=sideways",
            {
                "type": "string_pattern_mismatch",
                "loc": ["query", "order"],
                "msg": "String should match pattern '^(asc|desc)$'",
                "input": "sideways",
                "ctx": {"pattern": "^(asc|desc)$"},
            },
        ),
    ],
)
def test_a_wrong_query_is_reported_exactly_so(query: str, expected: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse_query(PageQuery, query)

    assert caught.value.detail == [expected]


@pytest.mark.parametrize("query", ["limit=abc", "limit=", "limit=1.5", "after=%00", "order=%00", "x=%00"])
def test_other_wrong_queries_are_422(query: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse_query(PageQuery, query)

    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("query", "limit"),
    [("", 20), ("limit=1", 1), (b"limit=1000", 1000), ("limit=1&limit=7", 7), ("other=1", 20)],
)
def test_good_queries(query: str | bytes, limit: int) -> None:
    assert parse_query(PageQuery, query).limit == limit


def test_too_many_parameters_are_refused() -> None:
    with pytest.raises(ValidationFailed):
        parse_query(PageQuery, "&".join(f"p{n}=1" for n in range(1000)))

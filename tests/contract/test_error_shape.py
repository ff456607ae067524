"""Every way to fail, made from the document: the one error shape, a documented status, and never a 500."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.described import complaints, described, pattern
from tests.contract.examples import SURROGATE, body_schema, deep, example, kinds, members, wrong
from tests.contract.live import World
from tests.error_shape import assert_error

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

RPC = "/v1/sessions/{session_id}/mcp"
"""Its errors are JSON-RPC's, in an answer of 200."""

ENDLESS = "/v1/sessions/{session_id}/stream"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODY_LIMIT = 10 * 1024 * 1024
MALFORMED = ("x", "../etc", "%00", "conv_" + "g" * 32, "a" * 5000, "\N{PILE OF POO}", "'; --", "{}")
CURSORS = ("x", "conv_" + "0" * 32, "item_" + "0" * 32, "%00", "a" * 5000)
LIMITS = ("0", "-1", "1001", "abc", "1e3", "", "9" * 50)


@pytest.fixture
def http(world: World) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(base_url=world.url, timeout=30) as client:
        yield client


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of every operation."""
    for path, methods in described()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def written() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and body schema of operations that take JSON."""
    for method, path, operation in operations():
        schema = body_schema(operation)
        if schema is not None and path != RPC:
            yield method, path, schema


def at(path: str, ids: Mapping[str, str]) -> str:
    """A path with ids for its names, unknown ones where there is none."""
    return path.format_map({**dict.fromkeys(names(path), "unknown"), **ids})


def names(path: str) -> list[str]:
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def check(answer: httpx.Response, where: str) -> None:
    """The answer is a documented one; if it is an error it has the shape, and it is none of ours."""
    assert answer.status_code < 500 or answer.status_code == 503, (
        f"{where}: {answer.status_code} {answer.text[:300]}"
    )
    found = list(
        complaints(
            answer.request.method,
            answer.url.path,
            answer.status_code,
            answer.headers.get("content-type", ""),
            answer.content,
        )
    )
    assert found == [], where
    if answer.status_code >= 400:
        body = answer.json()
        assert_error(answer, answer.status_code, body["error"]["code"])


def send(http: httpx.Client, method: str, path: str, content: bytes) -> httpx.Response:
    return http.request(method, path, content=content, headers={"Content-Type": "application/json"})


def test_examples_are_taken_so_that_what_is_spoilt_is_why_a_body_is_refused(
    http: httpx.Client, world: World
) -> None:
    for method, path, schema in written():
        answer = send(http, method, at(path, world.ids), json.dumps(example(schema)).encode())

        check(answer, f"{method} {path}")
        assert answer.status_code != 422, f"{method} {path}: {answer.text}"


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b"[]", b'"text"', b"1", b"null", deep()],
    ids=["empty", "blank", "cut", "words", "not UTF-8", "NaN", "array", "text", "number", "null", "deep"],
)
def test_a_body_that_is_no_object_is_refused(content: bytes, http: httpx.Client, world: World) -> None:
    for method, path, _ in written():
        answer = send(http, method, at(path, world.ids), content)

        check(answer, f"{method} {path}")
        is_optional = path == "/v1/device/code"
        assert answer.status_code >= 400 or is_optional, f"{method} {path}: {answer.status_code}"


def test_a_member_of_a_wrong_type_is_refused_everywhere(http: httpx.Client, world: World) -> None:
    tried = 0
    for method, path, schema in written():
        for name, member in members(schema):
            value = wrong(member)
            if value is None:
                continue
            body = {**example(schema), name: value}
            answer = send(http, method, at(path, world.ids), json.dumps(body).encode())
            check(answer, f"{method} {path} {name}")
            assert answer.status_code >= 400, f"{method} {path} {name}: {answer.status_code}"
            tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("text", "is_text"),
    [(SURROGATE, False), ("a\0b", False), ("x" * 100_000, True), ("\N{PILE OF POO}\u202e\ufeff\u0301", True)],
    ids=["lone surrogate", "NUL", "long", "odd"],
)
def test_no_text_in_any_member_breaks_the_server(
    text: str, is_text: bool, http: httpx.Client, world: World
) -> None:
    for method, path, schema in written():
        for name, member in members(schema):
            if "string" in kinds(member):
                body = {**example(schema), name: text}
                answer = send(http, method, at(path, world.ids), json.dumps(body).encode())
                check(answer, f"{method} {path} {name}")
                assert is_text or answer.status_code >= 400, f"{method} {path} {name}: {answer.status_code}"


@pytest.mark.parametrize("number", [-1, 2**31, 2**53, 2**63, 10**400, 1.5, -0.0])
def test_no_number_in_any_member_breaks_the_server(number: float, http: httpx.Client, world: World) -> None:
    for method, path, schema in written():
        for name, member in members(schema):
            if {"integer", "number"} & kinds(member):
                body = {**example(schema), name: number}
                answer = send(http, method, at(path, world.ids), json.dumps(body).encode())
                check(answer, f"{method} {path} {name}")


def test_a_body_over_the_cap_is_refused_everywhere(http: httpx.Client, world: World) -> None:
    content = b'{"filler":"' + b"x" * BODY_LIMIT + b'"}'
    for method, path, _ in written():
        answer = send(http, method, at(path, world.ids), content)

        check(answer, f"{method} {path}")
        assert answer.status_code in (400, 413), f"{method} {path}: {answer.status_code}"


def test_queries_out_of_range_are_refused_everywhere(http: httpx.Client, world: World) -> None:
    for method, path, operation in operations():
        asked = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        if method != "GET" or path == ENDLESS:
            continue
        tried = [("limit", value) for value in LIMITS] + [("order", "up")]
        tried += [(name, value) for name in ("after", "before", "cursor") for value in CURSORS]
        for name, value in tried:
            if name in asked:
                answer = http.get(f"{at(path, world.ids)}?{name}={value}")
                check(answer, f"{path}?{name}={value[:40]}")
                assert answer.status_code >= 400, f"{path}?{name}={value[:40]}: {answer.status_code}"


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_id_in_any_place_is_not_found_and_never_breaks(
    value: str, http: httpx.Client, world: World
) -> None:
    for method, path, operation in operations():
        for name in names(path):
            shown = value if value == "%00" else quote(value, safe="")
            address = at(path, {**world.ids, name: shown})
            schema = body_schema(operation)
            content = b"" if schema is None else json.dumps(example(schema)).encode()
            answer = send(http, method, address, content)
            check(answer, f"{method} {path} {name}")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/unknown", "/v1/sessions/", "/api/unknown", "/v1/%2e%2e/x"]
)
def test_an_unknown_path_is_not_found(method: str, path: str, http: httpx.Client) -> None:
    assert_error(http.request(method, path), 404, "not_found")


def test_a_method_that_a_path_does_not_have_is_not_found(http: httpx.Client, world: World) -> None:
    served = {(method, pattern(path)) for method, path, _ in operations()}
    for path in described()["paths"]:
        for method in METHODS:
            # `/v1/sessions/projects` has the shape of a session's address.
            address = at(path, world.ids)
            if not any(one == method and shape.fullmatch(address) for one, shape in served):
                answer = http.request(method, address)
                assert_error(answer, 404, "not_found")

"""The OpenAPI document: complete, well-formed, without a warning, true to the protocol's own classes."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from omnigent.protocol import events, items
from sessions_app.routing import ROUTES, SOCKET
from tests.contract.described import described

API = ("v1/", "v1$", "health", "api/", ".well-known/")
NOT_DESCRIBED = frozenset({"/openapi.json", "/docs"})
CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


@pytest.fixture
def client(db: None) -> Client:
    """A client on this machine."""
    return Client(headers={"host": "127.0.0.1:6767"})


def routes(patterns: Sequence[Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every path of the URLconf as a template, with its view."""
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, above + str(each.pattern))
        elif isinstance(each, URLPattern):
            yield above + str(each.pattern), each.callback


def api_routes() -> list[tuple[str, Any]]:
    """Those under the API's prefixes; the catch-all is an expression."""
    found = routes(get_resolver().url_patterns)
    named = [(path, view) for path, view in found if path.startswith(API) and not path.startswith("^")]
    return [("/" + CONVERTER.sub(r"{\1}", path), view) for path, view in named]


def methods_of(view: Any) -> set[str]:
    """The methods that a view answers."""
    actions = getattr(view, "actions", None)
    found = (
        set(actions) if actions else {name for name in view.cls.http_method_names if hasattr(view.cls, name)}
    )
    return found - {"options", "head"}


def test_document_builds_without_a_warning() -> None:
    GENERATOR_STATS.reset()

    SchemaGenerator().get_schema(public=True)

    assert not GENERATOR_STATS._warn_cache, GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache, GENERATOR_STATS._error_cache


def test_every_api_route_and_method_is_described() -> None:
    served = {(path, method) for path, view in api_routes() for method in methods_of(view)}
    known = {(path, method) for path, methods in described()["paths"].items() for method in methods}

    assert len(served) > 70
    assert known == served


def test_every_route_of_a_consumer_is_described() -> None:
    known = {
        (method.upper(), re.sub(r"\{\w+\}", "x", path))
        for path, methods in described()["paths"].items()
        for method in methods
    }

    missing = [
        (row.method, row.path.pattern)
        for row in ROUTES
        if row.method != SOCKET
        and row.path.pattern.startswith("/v1/")
        and (row.method, re.sub(r"\(\?P<\w+>[^)]*\)", "x", row.path.pattern)) not in known
    ]

    assert missing == []


def test_every_schema_is_a_json_schema_whose_references_lead_somewhere() -> None:
    schemas = described()["components"]["schemas"]

    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert set(references(described())) <= {f"#/components/schemas/{name}" for name in schemas}


def references(value: Any) -> Iterator[str]:
    """Every `$ref` and every target of a discriminator in the document."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        yield from value.get("mapping", {}).values() if "propertyName" in value else ()
        for one in value.values():
            yield from references(one)


def test_every_operation_has_a_name_of_its_own_a_summary_and_its_errors() -> None:
    operations = [one for methods in described()["paths"].values() for one in methods.values()]

    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"], one["operationId"]
        assert {"400", "403"} <= set(one["responses"]), one["operationId"]
        assert "500" not in one["responses"] or one["operationId"] == "post_session_events"


def test_writes_of_sessions_take_an_idempotency_key() -> None:
    operation = described()["paths"]["/v1/sessions/{session_id}/comments"]["post"]

    assert "Idempotency-Key" in {one["name"] for one in operation["parameters"]}
    assert {"409", "422"} <= set(operation["responses"])


def test_stream_events_are_a_union_of_exactly_the_events_that_clients_are_shown() -> None:
    union = described()["components"]["schemas"]["StreamEvent"]
    shown = set(events.EVENT_TYPES) - events.RUNNER_ONLY

    assert union["discriminator"]["propertyName"] == "type"
    assert set(union["discriminator"]["mapping"]) == shown
    stream = described()["paths"]["/v1/sessions/{session_id}/stream"]["get"]["responses"]["200"]
    assert stream["content"]["text/event-stream"]["schema"]["contentSchema"]["$ref"].endswith("StreamEvent")


def test_items_are_a_union_of_exactly_the_item_types() -> None:
    union = described()["components"]["schemas"]["Item"]

    assert set(union["discriminator"]["mapping"]) == set(items.ITEM_TYPES)


def test_security_schemes_are_named_where_they_are_used() -> None:
    schemes = set(described()["components"]["securitySchemes"])

    used = {
        name
        for methods in described()["paths"].values()
        for one in methods.values()
        for way in one["security"]
        for name in way
    }
    assert used == schemes == {"bearer", "cookie"}


def test_openapi_json_is_served(client: Client) -> None:
    answer = client.get("/openapi.json")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["info"]["title"] == "Omnigent"


def test_docs_page_shows_every_operation_and_loads_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/docs")

    text = answer.content.decode()
    for path, methods in described()["paths"].items():
        for method, one in methods.items():
            assert f'id="{one["operationId"]}"' in text
            assert f"{method.upper()} {path}" in text
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)

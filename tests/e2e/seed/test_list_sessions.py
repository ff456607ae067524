"""GET /v1/sessions, sentence by sentence of the published documentation."""

import uuid
from typing import Any

import httpx
import pytest

from tests.e2e.api import Api


@pytest.fixture
def label(api: Api) -> str:
    """A word that marks three new sessions, newest last."""
    word = uuid.uuid4().hex
    for number in range(3):
        api.http.post("/v1/sessions", json={"agent_id": api.agent_id(), "title": f"{word} {number}"})
    return word


def listed(api: Api, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api.get("/v1/sessions", **query)["data"]
    return rows


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [row["title"].rsplit(" ", 1)[-1] for row in rows]


def test_returns_a_cursor_paginated_list_of_sessions(api: Api, label: str) -> None:
    page = api.get("/v1/sessions", limit=2, search_query=label)

    assert set(page) == {"object", "data", "first_id", "last_id", "has_more"}
    assert (page["object"], page["has_more"], len(page["data"])) == ("list", True, 2)
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][1]["id"])
    row = page["data"][0]
    assert {"id", "agent_id", "status", "title", "created_at", "updated_at"} <= set(row)
    assert (row["status"], row["id"][:5], row["agent_id"]) == ("idle", "conv_", api.agent_id())
    assert isinstance(row["created_at"], int) and isinstance(row["updated_at"], int)


def test_only_sessions_with_an_agent_binding_are_included(api: Api, label: str) -> None:
    assert all(row["agent_id"] for row in listed(api, limit=1000, kind="any"))


@pytest.mark.parametrize(("limit", "status"), [(1, 200), (1000, 200), (0, 422), (1001, 422)])
def test_limit_ranges_from_1_to_1000(api: Api, limit: int, status: int) -> None:
    assert api.http.get("/v1/sessions", params={"limit": limit}).status_code == status


def test_limit_is_20_by_default(api: Api) -> None:
    for number in range(21):
        api.http.post("/v1/sessions", json={"agent_id": api.agent_id(), "title": f"many {number}"})

    assert len(listed(api)) == 20


def test_after_gives_sessions_that_come_later_in_sort_order(api: Api, label: str) -> None:
    newest, middle, oldest = listed(api, search_query=label)

    assert [row["id"] for row in listed(api, search_query=label, after=newest["id"])] == [
        middle["id"],
        oldest["id"],
    ]


def test_before_gives_sessions_before_this_id(api: Api, label: str) -> None:
    newest, middle, oldest = listed(api, search_query=label)

    assert [row["id"] for row in listed(api, search_query=label, before=oldest["id"])] == [
        newest["id"],
        middle["id"],
    ]


def test_agent_id_filters_to_sessions_bound_to_a_specific_agent(api: Api, label: str) -> None:
    assert len(listed(api, search_query=label, agent_id=api.agent_id())) == 3
    assert listed(api, search_query=label, agent_id=api.agent_id("anthropic")) == []


def test_agent_name_filters_by_bound_agent_name(api: Api, label: str) -> None:
    assert len(listed(api, search_query=label, agent_name="scripted")) == 3
    assert listed(api, search_query=label, agent_name="nobody") == []


def test_order_is_newest_first_unless_asked_otherwise(api: Api, label: str) -> None:
    assert titles(listed(api, search_query=label)) == ["2", "1", "0"]
    assert titles(listed(api, search_query=label, order="desc")) == ["2", "1", "0"]
    assert titles(listed(api, search_query=label, order="asc")) == ["0", "1", "2"]


def test_sort_by_is_created_at_or_updated_at(api: Api, label: str) -> None:
    oldest = listed(api, search_query=label)[-1]
    before = oldest["updated_at"]

    api.http.patch(f"/v1/sessions/{oldest['id']}", json={"labels": {"touched": "yes"}})

    changed = api.snapshot(oldest["id"])
    assert changed["updated_at"] >= before
    assert listed(api, search_query=label, sort_by="created_at")[-1]["id"] == oldest["id"]
    by_update = listed(api, search_query=label, sort_by="updated_at")
    assert [row["updated_at"] for row in by_update] == sorted(
        (row["updated_at"] for row in by_update), reverse=True
    )
    assert by_update[0]["id"] == oldest["id"]


def test_search_query_is_a_case_insensitive_substring_of_the_title(api: Api, label: str) -> None:
    assert len(listed(api, search_query=label[3:20].upper())) == 3


def test_search_query_finds_conversation_content(api: Api) -> None:
    word = uuid.uuid4().hex
    said = {"role": "user", "content": [{"type": "input_text", "text": f"about {word} and more"}]}
    body = {"agent_id": api.agent_id(), "initial_items": [{"type": "message", "data": said}]}
    made = api.http.post("/v1/sessions", json=body).json()

    assert [row["id"] for row in listed(api, search_query=word.upper())] == [made["id"]]


def test_include_archived_adds_archived_sessions_to_active_ones(api: Api, label: str) -> None:
    archived = listed(api, search_query=label)[0]

    api.http.patch(f"/v1/sessions/{archived['id']}", json={"archived": True})

    assert titles(listed(api, search_query=label)) == ["1", "0"]
    assert titles(listed(api, search_query=label, include_archived=False)) == ["1", "0"]
    assert titles(listed(api, search_query=label, include_archived=True)) == ["2", "1", "0"]


def test_kind_is_default_sub_agent_or_any(api: Api, label: str) -> None:
    parent = listed(api, search_query=label)[0]
    body = {"agent_id": api.agent_id(), "parent_session_id": parent["id"], "title": f"{label}:child"}
    child = api.http.post("/v1/sessions", json=body).json()

    assert len(listed(api, search_query=label)) == 3
    assert [row["id"] for row in listed(api, search_query=label, kind="sub_agent")] == [child["id"]]
    assert len(listed(api, search_query=label, kind="any")) == 4
    assert (
        api.http.get("/v1/sessions", params={"kind": "else"}).status_code == httpx.codes.UNPROCESSABLE_ENTITY
    )

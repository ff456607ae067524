"""The released Python client, 0.19.0, against our server: each call that programs make of it."""

from typing import Any

import httpx
import pytest

from tests.interop.conftest import Released

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

Steps = dict[str, Any]


@pytest.fixture(scope="module")
def steps(released: Released, url: str) -> Steps:
    """Every step of one journey, made once."""
    return released("client", url)


def events(steps: Steps, step: str) -> list[str]:
    return [event["type"] for event in steps[step]]


def said(steps: Steps, step: str) -> str:
    return "".join(event["delta"] for event in steps[step] if event["type"] == "response.output_text.delta")


EXPECTED_ERRORS = {"get_missing", "stale_cursor", "resolve_unknown"}


def test_no_call_fails_but_those_that_should(steps: Steps) -> None:
    failed = {
        name: step["error"] for name, step in steps.items() if isinstance(step, dict) and "error" in step
    }

    assert set(failed) == EXPECTED_ERRORS, failed


def test_create_from_a_bundle(steps: Steps) -> None:
    made = steps["create"]

    assert (made["agent_name"], made["title"], made["labels"]) == (
        "interop-bundle",
        "From a bundle",
        {"a": "b"},
    )


def test_create_from_an_agent(steps: Steps) -> None:
    assert (steps["create_from_agent_id"]["title"], steps["create_from_agent_id"]["status"]) == ("T", "idle")


def test_get(steps: Steps) -> None:
    assert steps["get"]["id"] == steps["hosted"]


def test_list(steps: Steps) -> None:
    ids = [row["id"] for row in steps["list"]]

    assert {steps["hosted"], steps["create"]["id"], steps["create_from_agent_id"]["id"]} <= set(ids)
    assert [row["id"] for row in steps["list_by_agent"]] == [steps["create"]["id"]]


def test_update(steps: Steps) -> None:
    assert steps["set_reasoning_effort"]["reasoning_effort"] == "low"
    assert steps["set_model_override"]["id"] == steps["hosted"]
    assert steps["set_external"]["external_session_id"] == "x-1"


def test_send_and_stream_a_turn(steps: Steps) -> None:
    kinds = events(steps, "turn")

    assert kinds[0] == "session.heartbeat"
    assert kinds[-1] == "response.completed"
    assert "session.input.consumed" in kinds
    assert "1" in said(steps, "turn") and "3" in said(steps, "turn")


def test_interrupt_ends_the_stream_of_a_turn(steps: Steps) -> None:
    kinds = events(steps, "interrupted")

    assert "session.interrupted" in kinds
    assert kinds[-1] == "response.cancelled"


def test_items_page_by_page(steps: Steps) -> None:
    first, second = steps["list_items"], steps["list_items_next"]

    assert first["has_more"] is True
    assert len(first["data"]) == 5
    assert {item["id"] for item in first["data"]}.isdisjoint(item["id"] for item in second["data"])
    assert first["data"][0]["content"][0]["text"] == "Count to 3 slowly"


def test_compact(steps: Steps) -> None:
    assert steps["compact"] is None


def test_fork(steps: Steps) -> None:
    fork = steps["fork"]

    assert (fork["title"], fork["status"]) == ("Forked", "idle")
    assert fork["id"] != steps["hosted"]
    assert len(fork["items"]) >= 5


def test_children(steps: Steps) -> None:
    assert steps["child_sessions"]["data"] == []


def test_files(steps: Steps) -> None:
    found = steps["files"]

    assert found["uploaded"]["filename"] == "notes.txt"
    assert [file["id"] for file in found["listed"]] == [found["uploaded"]["id"]]
    assert (found["content"], found["left"]) == ("Some notes.\n", [])


def test_resolve_an_approval(steps: Steps) -> None:
    assert steps["resolve"] == {"queued": False}
    assert steps["still_asked"] == []


def test_bind_and_unbind_a_runner(steps: Steps) -> None:
    assert steps["bind_runner"]["runner_id"] == steps["resolve_online_runner"]
    assert steps["unbind_runner"]["runner_id"] is None


def test_archive(steps: Steps) -> None:
    assert steps["set_archived"]["archived"] is True
    assert steps["create"]["id"] in [row["id"] for row in steps["list_archived"]]


def test_errors_arrive_as_the_clients_own(steps: Steps) -> None:
    assert steps["stale_cursor"]["error"].startswith("StaleCursorError")
    assert "Session not found" in steps["get_missing"]["error"]


def test_delete_is_json_that_any_client_reads(steps: Steps, url: str) -> None:
    session_id = steps["create_from_agent_id"]["id"]

    answer = httpx.delete(f"{url}/v1/sessions/{session_id}", timeout=30)

    assert answer.json() == {"id": session_id, "object": "conversation.deleted", "deleted": True}
    assert httpx.get(f"{url}/v1/sessions/{session_id}", timeout=30).status_code == httpx.codes.NOT_FOUND

"""GET /v1/sessions/{id}: the snapshot."""

import pytest
from django.test import Client

from sessions_app.models import Session
from tests.error_shape import assert_error, assert_invalid
from tests.factories import (
    agent_said,
    ask,
    label,
    make_agent,
    make_child,
    make_host,
    make_runner,
    make_session,
    user_said,
)

KEYS = {
    *("id", "agent_id", "agent_name", "status", "created_at", "updated_at", "title", "labels", "kind"),
    *(
        "parent_session_id",
        "root_conversation_id",
        "sub_agent_name",
        "archived",
        "runner_id",
        "runner_online",
    ),
    *(
        "host_id",
        "host_online",
        "host_resumable",
        "reasoning_effort",
        "model_override",
        "harness",
        "llm_model",
    ),
    *("workspace", "git_branch", "external_session_id", "project_id", "permission_level"),
    *("active_response_id", "last_task_error", "pending_elicitations", "pending_inputs", "context_window"),
    *("last_total_tokens", "total_cost_usd", "usage_by_model", "usage_included", "todos", "items"),
    *("terminal_launch_args", "share_workspace_files", "background_task_count", "background_tasks"),
    *("model_options", "inference_configured", "inference_error", "terminal_pending", "sandbox_status"),
    *("mcp_startup", "cost_control_mode_override", "subagent_routing_override", "resume_after"),
}


def url(session: Session | str) -> str:
    return f"/v1/sessions/{session if isinstance(session, str) else session.public_id}"


def test_every_key_is_present_and_unknowns_are_null(reader: Client) -> None:
    session = make_session(make_agent("helper", model="m-1"))

    answer = reader.get(url(session))

    snapshot = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(snapshot) == KEYS
    assert {key for key, value in snapshot.items() if value is not None} == {
        *("id", "agent_id", "agent_name", "status", "created_at", "updated_at", "labels", "kind", "archived"),
        *("root_conversation_id", "runner_online", "harness", "llm_model", "items", "pending_elicitations"),
        *("pending_inputs", "usage_included", "share_workspace_files", "resume_after"),
    }
    assert (snapshot["root_conversation_id"], snapshot["llm_model"]) == (session.public_id, "m-1")
    assert snapshot["runner_online"] is False


def test_stored_settings_show(reader: Client) -> None:
    session = make_session(
        title="t",
        workspace="/w",
        git_branch="b",
        reasoning_effort="high",
        model_override="m",
        harness_override="anthropic",
        external_session_id="x",
        terminal_launch_args=["-v"],
        status="failed",
        last_task_error={"code": "c", "message": "m"},
        active_response_id="resp_1",
        context_window=1000,
        context_tokens=10,
        archived=True,
    )
    label(session, env="prod")

    snapshot = reader.get(url(session)).json()

    assert {
        key: snapshot[key]
        for key in ("title", "workspace", "git_branch", "reasoning_effort", "model_override", "harness")
    } == {
        "title": "t",
        "workspace": "/w",
        "git_branch": "b",
        "reasoning_effort": "high",
        "model_override": "m",
        "harness": "anthropic",
    }
    assert snapshot["terminal_launch_args"] == ["-v"]
    assert snapshot["last_task_error"] == {"code": "c", "message": "m"}
    assert snapshot["labels"] == {"env": "prod"}
    assert (snapshot["status"], snapshot["archived"], snapshot["active_response_id"]) == (
        "failed",
        True,
        "resp_1",
    )
    assert (snapshot["context_window"], snapshot["last_total_tokens"]) == (1000, 10)


def test_items_are_nested_and_carry_their_nulls(reader: Client) -> None:
    session = make_session()
    first, second = user_said(session, 'Hello "you"\n☃'), agent_said(session, "Hi.")

    items = reader.get(url(session)).json()["items"]

    assert [item["id"] for item in items] == [first, second]
    assert set(items[0]) == {"id", "type", "status", "response_id", "created_at", "data", "created_by"}
    assert items[0]["created_by"] is None
    assert items[0]["data"] == {
        "role": "user",
        "content": [{"type": "input_text", "text": 'Hello "you"\n☃'}],
        "model": None,
        "user_authored": True,
        "is_meta": None,
        "interrupted": None,
        "stream_message_id": None,
        "subagent_return_id": None,
    }
    assert items[1]["data"]["model"] == "helper"


def test_the_newest_hundred_items_come_in_order(reader: Client) -> None:
    session = make_session()
    ids = [user_said(session, str(number)) for number in range(103)]

    assert [item["id"] for item in reader.get(url(session)).json()["items"]] == ids[3:]


def test_items_and_liveness_can_be_left_out(reader: Client) -> None:
    host = make_host()
    session = make_session(host_id=host.public_id)
    user_said(session, "Hello")

    snapshot = reader.get(url(session), {"include_items": "false", "include_liveness": "false"}).json()

    assert snapshot["items"] == []
    assert (snapshot["runner_online"], snapshot["host_online"]) == (None, None)


def test_liveness_tells_open_tunnels(reader: Client) -> None:
    host, away = make_host(), make_host(online=False)
    runner = make_runner()
    live = make_session(host_id=host.public_id, runner_id=runner.public_id)
    dead = make_session(host_id=away.public_id, runner_id="runner_gone")

    shown = [reader.get(url(session)).json() for session in (live, dead)]

    assert [(one["runner_online"], one["host_online"]) for one in shown] == [(True, True), (False, False)]


def test_resume_after_stops_before_open_text(reader: Client) -> None:
    settled, streaming = make_session(seq=7), make_session(seq=7, open_seq=5)

    assert reader.get(url(settled)).json()["resume_after"] == 7
    assert reader.get(url(streaming)).json()["resume_after"] == 4


def test_questions_of_descendants_name_their_session(reader: Client) -> None:
    top = make_session()
    child = make_child(top, "a:b")
    own, below = ask(top), ask(child)

    shown = reader.get(url(top)).json()["pending_elicitations"]

    assert [event["elicitation_id"] for event in shown] == [own.public_id, below.public_id]
    assert shown[0]["type"] == "response.elicitation_request"
    assert "target_session_id" not in shown[0]["params"]
    assert shown[1]["params"]["target_session_id"] == child.public_id


def test_usage_adds_up_the_subtree(reader: Client) -> None:
    bucket = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "total_cost_usd": None}
    top = make_session(usage_by_model={"m": bucket})
    make_child(top, "a:b", usage_by_model={"m": bucket, "n": {**bucket, "total_cost_usd": 0.5}})

    snapshot = reader.get(url(top)).json()

    assert snapshot["usage_by_model"]["m"] == {
        "input_tokens": 2,
        "output_tokens": 4,
        "total_tokens": 6,
        "total_cost_usd": None,
    }
    assert snapshot["total_cost_usd"] == 0.5
    assert reader.get(url(top), {"include_usage": "false"}).json()["usage_by_model"] is None


def test_a_child_names_parent_and_root(reader: Client) -> None:
    top = make_session()
    grandchild = make_child(make_child(top, "a:b"), "c:d", sub_agent_name="c")

    snapshot = reader.get(url(grandchild)).json()

    assert snapshot["root_conversation_id"] == top.public_id
    assert snapshot["parent_session_id"] != top.public_id
    assert (snapshot["kind"], snapshot["sub_agent_name"]) == ("sub_agent", "c")


def test_bare_hex_ids_are_understood(reader: Client) -> None:
    session = make_session()

    assert reader.get(url(session.public_id.removeprefix("conv_"))).json()["id"] == session.public_id


@pytest.mark.parametrize("text", ["conv_" + "0" * 32, "0" * 32, "anything", "x" * 64])
def test_unknown_sessions_are_not_found(reader: Client, text: str) -> None:
    assert_error(reader.get(url(text)), 404, "not_found", "Session not found")


@pytest.mark.parametrize("text", ["x" * 65, "a b", "a.b", "ä", "a%00b", "%ed%a0%80"])
def test_what_is_no_id_is_not_found_either(reader: Client, text: str) -> None:
    assert_error(reader.get(url(text)), 404, "not_found", "Not found.")


@pytest.mark.parametrize("name", ["include_items", "include_liveness", "include_usage"])
def test_flags_must_be_booleans(reader: Client, name: str) -> None:
    assert_invalid(reader.get(url(make_session()), {name: "maybe"}), "query", name, kind="bool_parsing")


def test_labels_and_owner_have_addresses_of_their_own(reader: Client) -> None:
    session = make_session()
    label(session, env="prod")

    assert reader.get(f"{url(session)}/labels").json() == {"id": session.public_id, "labels": {"env": "prod"}}
    assert reader.get(f"{url(session)}/owner").json() == {"owner": "local"}

"""POST /v1/sessions/{id}/fork: a new session goes on from a copy of the conversation."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from omnigent.protocol import items
from sessions_app.models import Item, Session, Turn
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import add_item, agent_said, label, make_agent, make_session, user_said

URL = "/v1/sessions"
COMPARED = ("type", "status", "response_id", "created_at", "data")


@pytest.fixture
async def source(process: Process) -> Session:
    def build() -> Session:
        session = make_session(make_agent("helper"), title="Debug auth", reasoning_effort="high")
        label(session, env="prod")
        user_said(session, "one")
        agent_said(session, "two")
        return session

    return await process.pool.run(build)


async def fork(http: httpx.AsyncClient, session: Session, **asked: Any) -> httpx.Response:
    return await http.post(f"{URL}/{session.public_id}/fork", json=asked)


async def items_of(http: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get(f"{URL}/{session_id}/items")).json()["data"]
    return found


async def test_the_fork_has_the_conversation_under_new_ids(http: httpx.AsyncClient, source: Session) -> None:
    answer = await fork(http, source)

    made = answer.json()
    assert answer.status_code == 201
    assert made == (await http.get(f"{URL}/{made['id']}")).json()
    before = (await http.get(f"{URL}/{source.public_id}")).json()["items"]
    assert [[item[key] for key in COMPARED] for item in made["items"]] == [
        [item[key] for key in COMPARED] for item in before
    ]
    assert {item["id"] for item in made["items"]}.isdisjoint(item["id"] for item in before)
    assert (made["title"], made["status"], made["agent_name"]) == ("Fork of Debug auth", "idle", "helper")
    assert made["labels"] == {"env": "prod", "omnigent.fork.source_id": source.public_id}
    assert made["reasoning_effort"] == "high"
    assert (made["runner_id"], made["workspace"], made["parent_session_id"]) == (None, None, None)


async def test_the_source_is_unchanged(http: httpx.AsyncClient, source: Session) -> None:
    before = (await http.get(f"{URL}/{source.public_id}")).json()

    await fork(http, source, title="Another way")

    assert (await http.get(f"{URL}/{source.public_id}")).json() == before


async def test_a_fork_goes_on_by_itself(http: httpx.AsyncClient, source: Session, process: Process) -> None:
    made = (await fork(http, source)).json()

    copy = await process.pool.run(lambda: Session.objects.get(public_id=made["id"]))
    await process.pool.run(agent_said, copy, "three")

    positions = await process.pool.run(
        lambda: list(
            Item.objects.filter(session=copy).order_by("position").values_list("position", flat=True)
        )
    )
    assert positions == [1, 2, 3]
    assert len(await items_of(http, source.public_id)) == 2


async def test_a_truncated_fork_keeps_its_last_response_whole(
    http: httpx.AsyncClient, source: Session, process: Process
) -> None:
    def more() -> None:
        call = items.FunctionCall(name="t", arguments="{}", call_id="c", agent="helper")
        add_item(source, call, response_id="resp_2")
        user_said(source, "steered")
        add_item(source, items.FunctionCallOutput(call_id="c", output="x"), response_id="resp_2")
        agent_said(source, "later")

    await process.pool.run(more)

    made = (await fork(http, source, up_to_response_id="resp_2")).json()

    assert [item["type"] for item in made["items"]] == [
        "message",
        "message",
        "function_call",
        "message",
        "function_call_output",
    ]


async def test_a_compaction_points_at_the_copy(
    http: httpx.AsyncClient, source: Session, process: Process
) -> None:
    def compact() -> None:
        last = Item.objects.filter(session=source).latest("position").public_id
        summary = items.Compaction(summary="So far", last_item_id=last, model="m", token_count=3)
        add_item(source, summary, response_id="compact_1")

    await process.pool.run(compact)

    made = (await fork(http, source)).json()

    assert made["items"][-1]["data"]["last_item_id"] == made["items"][1]["id"]


async def test_what_a_running_turn_has_written_is_not_copied(
    http: httpx.AsyncClient, source: Session, process: Process
) -> None:
    def run() -> None:
        user_said(source, "and now?")
        Turn.objects.create(session=source, response_id="resp_running", opened_at=source.created_at)
        call = items.FunctionCall(name="t", arguments="{}", call_id="c", agent="helper")
        add_item(source, call, response_id="resp_running")
        user_said(source, "steered")

    await process.pool.run(run)

    made = (await fork(http, source)).json()
    unknown = await fork(http, source, up_to_response_id="resp_running")

    assert [item["data"]["content"][0]["text"] for item in made["items"]] == ["one", "two", "and now?"]
    assert_error(unknown, 400, "invalid_input")


async def test_another_agent_takes_over_what_fits(
    http: httpx.AsyncClient, source: Session, process: Process
) -> None:
    def rivals() -> tuple[Agent, Agent]:
        Session.objects.filter(pk=source.pk).update(model_override="gpt-5", harness_override="openai-chat")
        return make_agent("near", harness="codex"), make_agent("far", harness="anthropic")

    near, far = await process.pool.run(rivals)

    same_vendor = (await fork(http, source, agent_id=near.public_id)).json()
    other_vendor = (await fork(http, source, agent_id=far.public_id)).json()

    assert (same_vendor["agent_name"], same_vendor["model_override"]) == ("near", "gpt-5")
    assert (other_vendor["agent_name"], other_vendor["model_override"]) == ("far", None)
    assert other_vendor["reasoning_effort"] is None
    assert (same_vendor["harness"], other_vendor["harness"]) == ("codex", "anthropic")


async def test_an_untitled_source_lends_its_id(http: httpx.AsyncClient, process: Process) -> None:
    untitled = await process.pool.run(make_session)

    made = (await fork(http, untitled)).json()
    again = await http.post(f"{URL}/{made['id']}/fork", json={})

    assert made["title"] == f"Fork of {untitled.public_id[:16]}…"
    assert again.json()["title"] == f"Fork of {made['title']}"


async def test_a_title_that_grows_is_cut(http: httpx.AsyncClient, process: Process) -> None:
    long = await process.pool.run(lambda: make_session(title="x" * 200))

    assert (await fork(http, long)).json()["title"] == "Fork of " + "x" * 192


async def test_a_sub_agents_fork_is_a_session_of_its_own(
    http: httpx.AsyncClient, source: Session, process: Process
) -> None:
    assert source.agent is not None
    asked = {"agent_id": source.agent.public_id, "parent_session_id": source.public_id, "title": "r:one"}
    child = (await http.post(URL, json={**asked, "sub_agent_name": "r"})).json()

    made = (await http.post(f"{URL}/{child['id']}/fork", json={})).json()

    assert (made["kind"], made["parent_session_id"]) == ("default", None)
    assert (made["root_conversation_id"], made["sub_agent_name"]) == (made["id"], "r")


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"up_to_response_id": "resp_none"}, 400, "invalid_input"),
        ({"agent_id": "ag_" + "0" * 32}, 404, "not_found"),
        ({"agent_id": "\u00fc"}, 404, "not_found"),
        ({"reasoning_effort": "huge"}, 400, "invalid_input"),
        ({"host_id": "nowhere", "workspace": "/"}, 404, "not_found"),
    ],
    ids=["response", "agent", "odd agent", "effort", "host"],
)
async def test_a_fork_that_is_refused_makes_nothing(
    http: httpx.AsyncClient, source: Session, process: Process, asked: dict[str, Any], status: int, code: str
) -> None:
    answer = await fork(http, source, **asked)

    assert_error(answer, status, code)
    assert await process.pool.run(Session.objects.count) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"labels": {}}', b'{"title": 1}', b'{"title": "' + b"x" * 201 + b'"}']
)
async def test_a_bad_body_is_422(http: httpx.AsyncClient, source: Session, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert_invalid(await http.post(f"{URL}/{source.public_id}/fork", content=body, headers=headers))


async def test_an_unknown_source_is_404(http: httpx.AsyncClient) -> None:
    assert_error(await http.post(f"{URL}/conv_{'0' * 32}/fork", json={}), 404, "not_found")


async def test_a_key_makes_one_fork(http: httpx.AsyncClient, source: Session, process: Process) -> None:
    headers = {"Idempotency-Key": "once"}

    first = await http.post(f"{URL}/{source.public_id}/fork", json={}, headers=headers)
    second = await http.post(f"{URL}/{source.public_id}/fork", json={}, headers=headers)

    assert first.json() == second.json()
    assert await process.pool.run(Session.objects.count) == 2


async def test_attached_files_are_the_forks_own(
    http: httpx.AsyncClient, source: Session, process: Process
) -> None:
    files = f"{URL}/{source.public_id}/resources/files"
    uploaded = (await http.post(files, files={"file": ("notes.txt", b"Some notes", "text/plain")})).json()

    def attach() -> None:
        content = [{"type": "input_file", "file_id": uploaded["id"]}]
        add_item(source, items.Message(role="user", content=content, user_authored=True))

    await process.pool.run(attach)

    made = (await fork(http, source)).json()
    await http.delete(f"{URL}/{source.public_id}")

    copied = made["items"][-1]["data"]["content"][0]["file_id"]
    content = await http.get(f"{URL}/{made['id']}/resources/files/{copied}/content")
    assert copied != uploaded["id"]
    assert (content.status_code, content.content) == (200, b"Some notes")

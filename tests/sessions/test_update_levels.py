"""PATCH /v1/sessions/{id}: the level that each field needs, and the fields beyond title and model."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from agents_app.models import Agent
from omnigent.api.validation import ValidationFailed, validate
from omnigent.errors import OmnigentError
from omnigent.protocol import host_frames
from sessions_app.bodies import UpdateSession
from sessions_app.models import LogEntry, Session, SessionLabel
from sessions_app.process import Process
from sessions_app.services import rules, updating
from tests.factories import label, make_child, make_runner, make_session
from tests.sessions.cast import PEOPLE, caller, shared_session
from tests.sessions.fake_host import HOST, FakeHost
from tests.stream.servers import until

READ = {"stranger": 404, "reader": 200, "editor": 200, "manager": 200, "owner": 200, "admin": 200}
EDIT = {**READ, "reader": 403}
MANAGE = {**EDIT, "editor": 403}
OWN = {**MANAGE, "manager": 403}

FIELDS: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"labels": {rules.PIN: "1"}}, READ),
    ({"labels": {rules.PIN: ""}}, READ),
    ({}, EDIT),
    ({"labels": {}}, EDIT),
    ({"labels": {rules.PIN: "1", "env": "prod"}}, EDIT),
    ({"labels": {rules.PIN: "1"}, "title": "T"}, EDIT),
    ({"labels": {"env": "prod"}}, EDIT),
    ({"title": "T"}, EDIT),
    ({"reasoning_effort": "low"}, EDIT),
    ({"model_override": "m"}, EDIT),
    ({"external_session_id": "x"}, EDIT),
    ({"share_workspace_files": True}, MANAGE),
    ({"share_workspace_files": False, "title": "T"}, MANAGE),
    ({"terminal_launch_args": ["-v"]}, OWN),
    ({"archived": True}, OWN),
    ({"archived": True, "delete_worktree": True}, OWN),
    ({"runner_id": ""}, OWN),
    ({"runner_id": "", "title": "T"}, OWN),
]


@pytest.fixture
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


def patch(name: str, session: Session, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status and the answer of a PATCH by one of the cast."""
    try:
        parsed = validate(UpdateSession, body, where="body")
        answer = updating.update(caller(name).principal, session.public_id, parsed, None, with_usage=True)
    except OmnigentError as error:
        return error.status, {"message": error.message}
    return answer.status, orjson.loads(answer.body)


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize(("body", "expected"), FIELDS, ids=[str(body) for body, _ in FIELDS])
def test_every_field_needs_its_level(body: dict[str, Any], expected: dict[str, int]) -> None:
    for name in PEOPLE:
        session = shared_session()

        status, answer = patch(name, session, body)

        assert status == expected[name], (name, answer)
        if status != 200:
            untouched = Session.objects.values("title", "archived", "runner_id", "model_override").get(
                pk=session.pk
            )
            assert untouched == {
                "title": "",
                "archived": False,
                "runner_id": session.runner_id,
                "model_override": "",
            }
            assert not SessionLabel.objects.filter(session=session).exists()


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize(("body", "expected"), FIELDS, ids=[str(body) for body, _ in FIELDS])
def test_a_bound_runner_edits_and_no_more(body: dict[str, Any], expected: dict[str, int]) -> None:
    status, _ = patch("runner", shared_session(), body)

    assert status == expected["editor"]
    assert patch("other runner", shared_session(), body)[0] == 404


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize("name", ["reader", "editor", "manager", "runner"])
def test_who_may_not_bind_is_told_who_may(name: str) -> None:
    status, answer = patch(name, shared_session(), {"runner_id": "runner_x"})

    assert (status, answer["message"]) == (403, "Only the session owner can attach a runner to this session")


@pytest.mark.usefixtures("many_users")
def test_a_pin_of_a_reader_is_theirs_alone() -> None:
    session = shared_session()

    assert patch("reader", session, {"labels": {rules.PIN: "1"}})[1]["labels"] == {rules.PIN: "1"}
    assert patch("editor", session, {})[1]["labels"] == {}


@pytest.mark.usefixtures("many_users")
def test_workspace_files_are_shared_shown_and_not_news() -> None:
    session = shared_session()

    assert patch("manager", session, {"share_workspace_files": True})[1]["share_workspace_files"] is True
    assert patch("reader", session, {"labels": {rules.PIN: ""}})[1]["share_workspace_files"] is True
    assert patch("manager", session, {"share_workspace_files": None})[0] == 200
    assert patch("manager", session, {"share_workspace_files": False})[1]["share_workspace_files"] is False
    assert not LogEntry.objects.filter(session=session).exists()


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize(
    "body",
    [
        {"delete_worktree": True},
        {"delete_worktree": True, "archived": False},
        {"project_id": None},
        {"cost_control_mode_override": "on"},
        {"permission_mode": "plan"},
        {"runner_id": "x" * 100_000},
        {"model_override": "x" * 257},
        {"model_override": "a b"},
        {"model_override": "ünï"},
        {"reasoning_effort": "x" * 100_000},
        {"labels": {"omnigent.archived_at": "1"}},
        {"labels": {"omnigent.pinned.reader": "1"}},
        {"labels": {"omnigent.sandbox.x": "1"}},
    ],
    ids=lambda body: str(body)[:60],
)
def test_one_bad_field_leaves_the_others_alone(body: dict[str, Any]) -> None:
    session = shared_session()
    before = patch("owner", session, {})[1]
    good = {"title": "New", "share_workspace_files": True, "terminal_launch_args": ["x"]}

    status, answer = patch("owner", session, {**good, **body})

    assert status == 400, answer
    assert len(answer["message"]) < 1000
    assert patch("owner", session, {})[1] == before
    assert not LogEntry.objects.filter(session=session).exists()


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize(
    "body",
    [
        {"share_workspace_files": "maybe"},
        {"archived": []},
        {"external_session_id": "x" * 257},
        {"terminal_launch_args": ["x"] * 257},
        {"terminal_launch_args": ["x" * 4097]},
        {"terminal_launch_args": [1]},
        {"labels": {"x" * 257: "1"}},
        {"title": "🙂" * 201},
    ],
    ids=lambda body: str(body)[:60],
)
def test_what_does_not_fit_is_invalid(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        validate(UpdateSession, body, where="body")


@pytest.mark.usefixtures("many_users")
def test_extremes_are_kept_as_they_are() -> None:
    session = shared_session()
    extreme = {
        "title": "🙂" * 200,
        "external_session_id": "é" * 256,
        "terminal_launch_args": ["\u202e" * 4096] * 256,
        "labels": {"🙂" * 256: "long " * 10_000},
        "model_override": "a" * 256,
    }

    status, answer = patch("owner", session, extreme)

    assert status == 200
    assert {name: answer[name] for name in extreme} == extreme


@pytest.mark.usefixtures("many_users")
def test_launch_arguments_are_replaced_whole() -> None:
    session = shared_session()
    for args in (["a", "b"], ["c"], []):
        assert patch("owner", session, {"terminal_launch_args": args})[1]["terminal_launch_args"] == args


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize(
    "body",
    [{"archived": True}, {"archived": False}, {"labels": {rules.PIN: "1"}}, {"labels": {rules.PROJECT: "p"}}],
)
def test_a_sub_agent_is_filed_by_its_root(body: dict[str, Any]) -> None:
    child = make_child(shared_session(), "a:b")

    assert patch("owner", child, body)[0] == 400
    assert patch("owner", child, {"title": "a:c", "model_override": "m"})[0] == 200


@pytest.mark.usefixtures("many_users")
def test_an_owner_binds_their_own_runners_only() -> None:
    session = shared_session()
    make_runner("theirs", owner="manager")
    own = make_runner("own", owner="owner")

    assert patch("owner", session, {"runner_id": own.public_id})[1]["runner_id"] == own.public_id
    theirs = make_runner("more", owner="manager").public_id
    assert patch("owner", session, {"runner_id": theirs})[0] == 400


@pytest.fixture
def short_pause(settings: Any) -> None:
    """A tenth of a second to change one's mind."""
    settings.OMNIGENT_ARCHIVE_STOP_SECONDS = 0.1


async def in_worktree(process: Process, path: str) -> Session:
    def make() -> Session:
        session = make_session(host_id=HOST, workspace=path)
        label(session, **{rules.WORKTREE: path})
        return session

    return await process.pool.run(make)


@pytest.mark.usefixtures("short_pause", "agent")
async def test_an_archived_sessions_work_tree_is_removed(
    http: httpx.AsyncClient, process: Process, host: FakeHost
) -> None:
    session = await in_worktree(process, "/w/tree")
    body = {"archived": True, "delete_worktree": True}

    answer = await http.patch(f"/v1/sessions/{session.public_id}", json=body)

    assert answer.status_code == 200
    (ask,) = await until(lambda: host.asked_for(host_frames.RemoveWorktree))
    assert (ask.worktree_path, ask.branch, ask.delete_branch) == ("/w/tree", None, False)

    async def is_forgotten() -> bool:
        labels = SessionLabel.objects.filter(session=session, key=rules.WORKTREE)
        return not await process.pool.run(labels.exists)

    async with asyncio.timeout(5):
        while not await is_forgotten():
            await process.pool.run(host.asked_for, host_frames.RemoveWorktree)


@pytest.mark.usefixtures("short_pause")
async def test_a_shared_work_tree_and_one_that_was_not_to_go_stay(
    http: httpx.AsyncClient, process: Process, host: FakeHost, agent: Agent
) -> None:
    kept, shared, sharing, last = [
        await in_worktree(process, path) for path in ("/w/kept", "/w/shared", "/w/shared", "/w/last")
    ]
    await http.patch(f"/v1/sessions/{kept.public_id}", json={"archived": True})
    for session in (shared, last):
        body = {"archived": True, "delete_worktree": True}
        await http.patch(f"/v1/sessions/{session.public_id}", json=body)

    asked = await until(lambda: host.asked_for(host_frames.RemoveWorktree))

    assert [ask.worktree_path for ask in asked] == ["/w/last"]
    assert sharing.pk

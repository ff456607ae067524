"""POST /v1/hosts/{id}/runners: a session that has no runner gets one there."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from omnigent.protocol import host_frames
from sessions_app.consumers.runner import BAD_TOKEN
from sessions_app.models import Host, Runner, SessionLabel
from sessions_app.services import rules
from tests.api_plumbing.asgi_client import Socket
from tests.error_shape import assert_error
from tests.factories import label, make_child, make_host, make_runner, make_session, user_said
from tests.fleet.launching import REFUSED, URL, launch
from tests.inputs.fake_host import FakeHost as LaunchingHost
from tests.inputs.fake_runner import FakeRunner, turn
from tests.inputs.rig import Rig
from tests.inputs.waiting import eventually, until
from tests.sessions.fake_host import HOST, FakeHost, failing


async def test_a_session_is_placed_and_its_runner_dials_in(rig: Rig, launcher: LaunchingHost) -> None:
    session_id = await rig.session()

    answer = await launch(rig, session_id)

    assert answer.status_code == 200, answer.text
    runner_id = answer.json()["runner_id"]
    assert answer.json() == {"runner_id": runner_id, "status": "launching"}
    await eventually(lambda: rig.is_online(runner_id), "the runner is online")
    [ask] = launcher.launches
    assert (ask.session_id, ask.workspace, ask.harness) == (session_id, "/repo", "scripted")
    shown = await rig.snapshot(session_id)
    assert [shown[name] for name in ("runner_id", "host_id", "workspace", "status")] == [
        runner_id,
        HOST,
        "/repo",
        "idle",
    ]
    item_id = await rig.say(session_id, "hi")
    await rig.delivered(session_id)
    assert launcher.runner.messages == [item_id]
    assert len(launcher.launches) == 1


async def test_a_session_with_a_runner_is_refused(rig: Rig, launcher: LaunchingHost) -> None:
    session_id = await rig.session()
    launcher.starts_runners = False
    await launch(rig, session_id)

    on_its_way = await launch(rig, session_id)
    await launcher.start(launcher.launches[0])
    await eventually(lambda: rig.is_online(launcher.runner.runner_id), "the runner is online")
    there = await launch(rig, session_id)
    await launcher.runner.disconnect()
    gone_for_a_moment = await launch(rig, session_id)

    for answer in (on_its_way, there, gone_for_a_moment):
        assert_error(answer, 400, "invalid_input", "session already has a runner bound")
    assert len(launcher.launches) == 1


async def test_many_at_once_launch_one_runner(rig: Rig, launcher: LaunchingHost) -> None:
    session_id = await rig.session()

    answers = await asyncio.gather(*(launch(rig, session_id) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]
    assert len(launcher.launches) == 1


async def test_a_runner_that_is_gone_is_replaced_and_ended_where_it_was(
    rig: Rig, launcher: LaunchingHost
) -> None:
    def scene() -> str:
        make_host(public_id="b" * 32, online=False)
        old = make_runner(
            "old",
            online=False,
            host_id=HOST,
            said_hello_at=timezone.now() - timedelta(hours=1),
            created_at=timezone.now() - timedelta(hours=1),
        )
        return make_session(
            runner_id=old.public_id, host_id=HOST, workspace="/old", git_branch="old", status="idle"
        ).public_id

    session_id = await rig.run(scene)
    old_id = (await rig.snapshot(session_id))["runner_id"]

    answer = await launch(rig, session_id)

    shown = await rig.snapshot(session_id)
    assert answer.json()["runner_id"] == shown["runner_id"] != old_id
    assert (shown["workspace"], shown["git_branch"]) == ("/repo", None)
    await until(lambda: launcher.stopped == [old_id], "the old runner is stopped")


async def test_sub_agents_move_with_the_session(rig: Rig, launcher: LaunchingHost) -> None:
    def scene() -> tuple[str, str]:
        root = make_session()
        return root.public_id, make_child(root, "helper:one").public_id

    root_id, child_id = await rig.run(scene)

    await launch(rig, root_id)

    root, child = await rig.row(root_id), await rig.row(child_id)
    assert (child.runner_id, child.host_id, child.workspace) == (root.runner_id, HOST, "/repo")


async def test_a_message_without_an_answer_is_delivered_to_the_new_runner(
    rig: Rig, launcher: LaunchingHost
) -> None:
    def scene() -> tuple[str, str]:
        session = make_session()
        return session.public_id, user_said(session, "hi")

    session_id, item_id = await rig.run(scene)

    await launch(rig, session_id)

    await rig.delivered(session_id)
    assert launcher.runner.messages == [item_id]
    assert len(launcher.launches) == 1


async def test_the_failure_of_the_runner_before_is_forgiven(rig: Rig, launcher: LaunchingHost) -> None:
    session_id = await rig.hosted(launcher)
    launcher.reply = lambda ask: {"status": "failed", "error": "cannot"}
    await rig.say(session_id, "hi")
    await rig.becomes(session_id, "failed")
    launcher.reply = LaunchingHost(None).reply

    await launch(rig, session_id)

    shown = await rig.snapshot(session_id)
    assert (shown["status"], shown["last_task_error"]) == ("idle", None)


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        ("harness_not_configured", 412, "harness_not_configured"),
        ("workspace_missing", 410, "workspace_missing"),
        (None, 502, "internal_error"),
    ],
)
async def test_a_refused_launch_leaves_the_session_where_it_was(
    rig: Rig, launcher: LaunchingHost, code: str | None, status: int, word: str
) -> None:
    def scene() -> str:
        session = make_session(host_id="b" * 32, workspace="/before", git_branch="main")
        label(session, **{rules.WORKTREE: "/before"})
        return session.public_id

    session_id = await rig.run(scene)
    launcher.reply = lambda ask: {"status": "failed", "error": "not here", "error_code": code}

    body = assert_error(await launch(rig, session_id), status, word)

    assert "not here" in body["error"]["message"]
    row = await rig.row(session_id)
    assert (row.runner_id, row.host_id, row.workspace, row.git_branch) == ("", "b" * 32, "/before", "main")
    kept = await rig.run(lambda: SessionLabel.objects.get(key=rules.WORKTREE).value)
    assert kept == "/before"
    launcher.reply = LaunchingHost(None).reply
    assert (await launch(rig, session_id)).status_code == 200


async def test_a_work_tree_is_made_for_it_and_taken_back_when_nothing_starts(
    rig: Rig, host: FakeHost
) -> None:
    session_id = await rig.session()
    git = {"branch_name": "feature", "base_branch": "main"}
    good = host.handlers[host_frames.LaunchRunner]
    host.handlers[host_frames.LaunchRunner] = failing(REFUSED, "cannot")

    assert_error(await launch(rig, session_id, git=git), 502, "internal_error")
    await until(lambda: host.asked_for(host_frames.RemoveWorktree), "the work tree is taken back")
    host.handlers[host_frames.LaunchRunner] = good
    await launch(rig, session_id, git=git)

    [removed] = host.asked_for(host_frames.RemoveWorktree)
    assert (removed.worktree_path, removed.branch, removed.delete_branch) == (
        "/repo-worktrees/feature",
        "feature",
        True,
    )
    shown = await rig.snapshot(session_id)
    assert (shown["workspace"], shown["git_branch"]) == ("/repo-worktrees/feature", "feature")
    assert host.asked_for(host_frames.LaunchRunner)[-1].workspace == "/repo-worktrees/feature"


async def test_a_host_that_does_not_answer_the_launch_is_told_to_end_it(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.session()
    del host.handlers[host_frames.LaunchRunner]

    assert_error(await launch(rig, session_id), 504, "host_offline")

    await until(lambda: host.asked_for(host_frames.StopRunner), "the runner is stopped")
    [ask] = host.asked_for(host_frames.LaunchRunner)
    [stop] = host.asked_for(host_frames.StopRunner)
    assert stop.runner_id == (await rig.run(lambda: Runner.objects.get().public_id))
    assert ask.session_id == session_id
    assert (await rig.row(session_id)).runner_id == ""


async def test_a_runner_that_comes_to_be_after_its_launch_was_given_up_is_refused(
    rig: Rig, launcher: LaunchingHost
) -> None:
    session_id = await rig.session()
    launcher.reply = lambda ask: {"status": "failed", "error": "too slow"}
    assert_error(await launch(rig, session_id), 502, "internal_error")

    late = FakeRunner(rig.door, token=launcher.launches[0].binding_token)
    path = f"/v1/runners/{late.runner_id}/tunnel"
    async with Socket(rig.door, path, headers=late.headers) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        assert (await socket.next())["code"] == BAD_TOKEN


@pytest.mark.parametrize(
    "found",
    [
        {"exists": False},
        {"exists": True, "type": "file"},
        {"status": "failed", "error": "outside of what this host allows"},
    ],
    ids=["missing", "file", "outside"],
)
async def test_a_bad_workspace_binds_nothing(rig: Rig, host: FakeHost, found: dict[str, Any]) -> None:
    session_id = await rig.session()
    host.handlers[host_frames.Stat] = lambda ask: host_frames.StatResult(
        request_id=ask.request_id, **{"status": "ok", **found}
    )

    assert_error(await launch(rig, session_id), 400, "invalid_input")

    assert (await rig.row(session_id)).host_id == ""
    assert host.asked_for(host_frames.LaunchRunner) == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"workspace": ""}, 422),
        ({"workspace": None}, 422),
        ({"workspace": "/" + "x" * 4096}, 422),
        ({"workspace": "/a\0"}, 422),
        ({"session_id": 7}, 422),
        ({"session_id": "conv_" + "0" * 32}, 404),
        ({"session_id": "no id!"}, 404),
        ({"git": {}}, 422),
        ({"git": "main"}, 422),
        ({"git": {"branch_name": "-x"}}, 400),
        ({"git": {"branch_name": "a..b"}}, 400),
    ],
    ids=str,
)
async def test_a_bad_request_binds_nothing(
    rig: Rig, host: FakeHost, fields: dict[str, Any], status: int
) -> None:
    session_id = await rig.session()

    answer = await rig.http.post(URL, json={"session_id": session_id, "workspace": "/repo", **fields})

    assert_error(answer, status, "not_found" if status == 404 else "invalid_input")
    assert host.asked_for(host_frames.LaunchRunner) == []
    assert (await rig.row(session_id)).runner_id == ""


async def test_a_host_without_the_harness_is_refused_before_it_is_asked(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.session(harness_override="codex")

    assert_error(await launch(rig, session_id), 412, "harness_not_configured")
    assert host.asked == []


@pytest.mark.parametrize("word", ["dead", "unknown"])
async def test_a_host_that_does_not_see_the_runner_launches_another(
    rig: Rig, launcher: LaunchingHost, word: str
) -> None:
    """`unknown` is what a host says that was itself restarted."""
    session_id = await rig.hosted(launcher)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    first = launcher.runner
    await first.tell(session_id, *turn("resp_1", "ok"))
    await rig.becomes(session_id, "idle")
    launcher.gone_word = word
    launcher.alive.clear()
    await first.disconnect()

    item_id = await rig.say(session_id, "two")

    await rig.delivered(session_id)
    assert launcher.runner is not first
    assert launcher.runner.messages == [item_id]


async def test_another_persons_session_is_not_launched(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.session()
    await rig.run(lambda: Host.objects.filter(public_id=HOST).update(owner="somebody"))

    assert_error(await launch(rig, session_id), 403, "forbidden", "not your host")

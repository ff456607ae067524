"""The environment's routes of a runner whose agent works in a sandbox: they reach no more than its tools."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runner.environment_rig import ask
from tests.runner.fake_server import FakeServer
from tests.runner.rig import Rig, running
from tests.runner.sandbox_rig import project
from tests.workspace.rig import git

pytestmark = pytest.mark.sandbox
AGENT = """\
name: helper
prompt: You help.
executor: {harness: scripted}
os_env:
  type: caller_process
  sandbox: {type: linux_bwrap, write_paths: [out], mask_paths: [masked]}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = project(tmp_path / "workspace")
    (root / ".git" / "config").unlink()
    (root / ".git").rmdir()
    (root / "deep" / ".env").rename(root / "deep" / "kept")
    (root / "deep" / "kept").write_text("kept")
    (root / "masked").mkdir()
    (root / "masked" / "key").write_text("swordfish")
    git(root, "init", "-q")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", "first")
    return root


@pytest.fixture
async def rig(workspace: Path) -> AsyncIterator[Rig]:
    server = FakeServer()
    server.agent = AGENT
    async with running(workspace, server=server) as made:
        made.server.subscribe()
        yield made


async def test_files_are_read_and_written_where_the_sandbox_lets(rig: Rig, workspace: Path) -> None:
    written = await ask(rig.server, "PUT", "/filesystem/out/a/new.txt", {"content": "one"})
    edited = await ask(
        rig.server, "PATCH", "/filesystem/out/a/new.txt", {"old_text": "one", "new_text": "two"}
    )
    read = await ask(rig.server, "GET", "/filesystem/plain.txt")
    found = await ask(rig.server, "GET", "/search", q="plain", mode="content")
    deleted = await ask(rig.server, "DELETE", "/filesystem/out/a", recursive="true")
    one = await ask(rig.server, "GET", "")

    assert (written.status, edited.status, read.json["content"]) == (200, 200, "plain\n")
    assert [row["path"] for row in found.json["data"]] == ["plain.txt"]
    assert deleted.json["entries_deleted"] == 2 and os.listdir(workspace / "out") == []
    root = workspace.resolve()
    assert one.json["metadata"]["reachable"] == {
        "unconfined": False,
        "roots": [
            {"path": str(root), "access": "read", "origin": "cwd"},
            {"path": str(root / "out"), "access": "write", "origin": "sandbox"},
        ],
    }


async def test_what_may_only_be_read_is_not_changed(rig: Rig, workspace: Path) -> None:
    refused = [
        await ask(rig.server, "PUT", "/filesystem/plain.txt", {"content": "x"}),
        await ask(rig.server, "PUT", "/filesystem/new.txt", {"content": "x"}),
        await ask(rig.server, "PUT", "/filesystem/deep/er/new.txt", {"content": "x"}),
        await ask(rig.server, "PATCH", "/filesystem/plain.txt", {"old_text": "p", "new_text": "x"}),
        await ask(rig.server, "DELETE", "/filesystem/plain.txt"),
        await ask(rig.server, "DELETE", "/filesystem/deep", recursive="true"),
    ]

    assert {answer.status for answer in refused} <= {403, 409}
    assert (workspace / "plain.txt").read_text() == "plain\n"
    assert not (workspace / "new.txt").exists() and (workspace / "deep" / "kept").exists()


async def test_what_is_hidden_is_shown_by_no_route(rig: Rig, workspace: Path) -> None:
    (workspace / "out" / "link").symlink_to("../.env")
    (workspace / ".env").write_text("swordfish again")
    (workspace / "masked" / "key").write_text("swordfish again")

    answers = [
        await ask(rig.server, "GET", "/filesystem/.env"),
        await ask(rig.server, "GET", "/filesystem/.env", download="true"),
        await ask(rig.server, "GET", "/filesystem/.git", order="asc"),
        await ask(rig.server, "GET", "/filesystem/out/link"),
        await ask(rig.server, "GET", "/filesystem/masked/key"),
        await ask(rig.server, "GET", "/search", q="swordfish", mode="content"),
        await ask(rig.server, "GET", "/diff/.env"),
        await ask(rig.server, "GET", "/diff/out/link/x"),
        await ask(rig.server, "GET", "/diff/masked/key"),
        await ask(rig.server, "GET", "/changes"),
        await ask(rig.server, "POST", "/shell", {"command": "cat .env .git/config masked/key; ls -A .git"}),
    ]

    assert not [answer.data for answer in answers if b"swordfish" in answer.data or b"core" in answer.data]
    # What the sandbox's author did not ask to be hidden is seen.
    assert [row["path"] for row in answers[9].json["data"]] == ["out/link"]


async def test_changes_and_downloads_pass_through(rig: Rig, workspace: Path) -> None:
    (workspace / "plain.txt").write_text("changed\n")
    data = os.urandom(3_000_000)
    (workspace / "large.bin").write_bytes(data)

    changes = await ask(rig.server, "GET", "/changes")
    diff = await ask(rig.server, "GET", "/diff/plain.txt")
    whole = await ask(rig.server, "GET", "/filesystem/large.bin", download="true")
    part = await ask(rig.server, "GET", "/filesystem/large.bin", headers={"Range": "bytes=-5"}, download="1")
    content = await ask(rig.server, "GET", "/filesystem/large.bin")

    assert {row["path"]: row["status"] for row in changes.json["data"]} == {
        "large.bin": "created",
        "plain.txt": "modified",
    }
    assert (diff.json["before"], diff.json["after"]) == ("plain\n", "changed\n")
    assert whole.data == data and (part.status, part.data) == (206, data[-5:])
    assert content.json["bytes"] == 3_000_000 and content.json["encoding"] == "base64"


async def test_a_command_is_confined(rig: Rig, workspace: Path) -> None:
    answer = await ask(
        rig.server, "POST", "/shell", {"command": "touch here; touch out/there; echo $HOME", "timeout": 20}
    )

    assert answer.json["exit_code"] == 0 and "Read-only" in answer.json["stderr"]
    assert not (workspace / "here").exists() and (workspace / "out" / "there").exists()


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/filesystem/gone", (404, "not_found")),
        ("/filesystem/..", (400, "invalid_input")),
        ("/filesystem/out/etc/passwd", (400, "invalid_input")),
        ("/filesystem/out/pipe", (400, "invalid_input")),
    ],
)
async def test_refusals_are_those_of_any_environment(
    rig: Rig, workspace: Path, path: str, refusal: tuple[int, str]
) -> None:
    (workspace / "out" / "etc").symlink_to("/etc")
    os.mkfifo(workspace / "out" / "pipe")

    assert (await ask(rig.server, "GET", path)).refusal == refusal

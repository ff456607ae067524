"""The environment's routes of a runner, without a sandbox."""

import asyncio
import base64
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runner.environment_rig import ask
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import Rig, running
from tests.runner.sandbox_rig import is_alive
from tests.workspace.rig import git, repository

NO_FILES = "name: helper\nprompt: You help.\nexecutor: {harness: scripted}\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "workspace"
    made.mkdir()
    return made


@pytest.fixture
async def rig(workspace: Path) -> AsyncIterator[Rig]:
    async with running(workspace) as made:
        # Somebody reads the events, so that the runner need not keep them at its end.
        made.server.subscribe()
        yield made


async def begun(server: FakeServer) -> None:
    """The session is there, as its first message would find it."""
    status, _ = await server.request("POST", "/v1/sessions", {"session_id": "conv_1", "agent_id": "ag_1"})
    assert status == 201


async def test_the_environment_is_a_resource(rig: Rig, workspace: Path) -> None:
    listed = await ask(rig.server, "GET", "/v1/sessions/conv_1/resources")
    environments = await ask(rig.server, "GET", "/v1/sessions/conv_1/resources/environments")
    one = await ask(rig.server, "GET", "")

    row = {
        "id": "default",
        "object": "session.resource",
        "type": "environment",
        "session_id": "conv_1",
        "name": "default",
        "metadata": {"environment_type": "caller_process", "role": "primary"},
    }
    page = {"object": "list", "data": [row], "first_id": "default", "last_id": "default", "has_more": False}
    assert listed.json == environments.json == page
    root = str(workspace.resolve())
    reachable = {"unconfined": True, "roots": [{"path": root, "access": "write", "origin": "cwd"}]}
    assert one.json["metadata"] == row["metadata"] | {"root": root, "home": None, "reachable": reachable}  # type: ignore[operator] # a literal of mixed values
    for kind, count in (("environment", 1), ("terminal", 0), ("file", 0), ("nothing", 0)):
        answer = await ask(rig.server, "GET", "/v1/sessions/conv_1/resources", type=kind)
        assert (answer.status, len(answer.json["data"])) == (200, count)


async def test_an_unknown_environment_is_not_found(rig: Rig) -> None:
    base = "/v1/sessions/conv_1/resources/environments/other"

    for method, path in (("GET", ""), ("GET", "/filesystem"), ("GET", "/changes"), ("POST", "/shell")):
        answer = await ask(rig.server, method, base + path, {"command": "true"} if method == "POST" else None)
        assert answer.refusal == (404, "not_found")
        assert answer.json["error"]["message"] == "Environment 'other' not found"


async def test_an_agent_without_files_has_no_environment(workspace: Path) -> None:
    server = FakeServer()
    server.agent = NO_FILES
    async with running(workspace, server=server) as rig:
        listed = await ask(rig.server, "GET", "/v1/sessions/conv_1/resources/environments")
        refused = [
            await ask(rig.server, "GET", ""),
            await ask(rig.server, "GET", "/filesystem"),
            await ask(rig.server, "PUT", "/filesystem/a", {"content": "x"}),
            await ask(rig.server, "GET", "/changes"),
            await ask(rig.server, "POST", "/shell", {"command": "touch made"}),
        ]

    assert listed.json["data"] == []
    assert [answer.refusal for answer in refused] == [(404, "not_found")] * 5
    assert os.listdir(workspace) == []


async def test_files_are_listed_read_written_edited_and_deleted(rig: Rig, workspace: Path) -> None:
    written = await ask(rig.server, "PUT", "/filesystem/a%20b/gr%C3%B6%C3%9Fe%3F.txt", {"content": "one one"})
    edited = await ask(
        rig.server, "PATCH", "/filesystem/a%20b/gr%C3%B6%C3%9Fe%3F.txt", {"old_text": "one", "new_text": "1"}
    )
    listed = await ask(rig.server, "GET", "/filesystem/a%20b", limit=5, order="asc")
    read = await ask(rig.server, "GET", "/filesystem/a%20b/gr%C3%B6%C3%9Fe%3F.txt")

    assert (written.json["path"], written.json["created"]) == ("a b/größe?.txt", True)
    assert edited.json["replacements"] == 1
    assert [row["path"] for row in listed.json["data"]] == ["a b/größe?.txt"]
    assert read.json["content"] == "1 one" == (workspace / "a b" / "größe?.txt").read_text()
    full = await ask(rig.server, "DELETE", "/filesystem/a%20b")
    assert full.refusal == (409, "conflict") and full.json["detail"] == "Directory 'a b' is not empty"
    gone = await ask(rig.server, "DELETE", "/filesystem/a%20b", recursive="true")
    assert (gone.json["entries_deleted"], os.listdir(workspace)) == (2, [])
    missing = await ask(rig.server, "GET", "/filesystem/a%20b")
    assert missing.json["error"] == {"code": "not_found", "message": "Path 'a b' not found"}


@pytest.mark.parametrize(
    "path",
    ["/filesystem/..", "/filesystem/a/%2e%2e/b", "/filesystem/%252e%252e", "/search/..%2f", "/diff/%2E%2E/a"],
)
async def test_a_way_up_is_refused_in_every_spelling(rig: Rig, path: str) -> None:
    answer = await ask(rig.server, "GET", path, q="a")

    assert answer.refusal == (400, "invalid_input")
    assert answer.json["error"]["message"] == "Parent path segments are not permitted"


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/filesystem/%00", {}, None),
        ("GET", "/filesystem/a%0", {"limit": "many"}, None),
        ("GET", "/filesystem", {"limit": "-1"}, None),
        ("GET", "/filesystem", {"limit": "99999999999"}, None),
        ("GET", "/filesystem", {"order": "up"}, None),
        ("GET", "/filesystem", {"after": "gone"}, None),
        ("GET", "/filesystem", {"download": "perhaps"}, None),
        ("GET", "/filesystem", {"download": "true"}, None),
        ("PUT", "/filesystem/a", {}, {"content": "?", "encoding": "base64"}),
        ("PUT", "/filesystem/a", {}, ["content"]),
        ("PUT", "/filesystem/a", {}, {"content": {"a": 1}}),
        ("PUT", "/filesystem/.git/config", {}, {"content": "x"}),
        ("PATCH", "/filesystem/a", {}, {"old_text": 1, "new_text": "x"}),
        ("DELETE", "/filesystem", {"recursive": "true"}, None),
        ("GET", "/search", {}, None),
        ("GET", "/search", {"q": "a", "mode": "x"}, None),
        ("GET", "/diff", {}, None),
        ("POST", "/shell", {}, {}),
        ("POST", "/shell", {}, {"command": "   "}),
        ("POST", "/shell", {}, {"command": "a\x00b"}),
        ("POST", "/shell", {}, {"command": "\ud800"}),
        ("POST", "/shell", {}, {"command": "true", "timeout": 0}),
        ("POST", "/shell", {}, {"command": "true", "timeout": "soon"}),
        ("POST", "/shell", {}, {"command": "true", "timeout": True}),
    ],
)
async def test_bad_input_is_refused_in_the_envelope(
    rig: Rig, method: str, path: str, query: dict[str, str], body: object
) -> None:
    answer = await ask(rig.server, method, path, body, **query)

    assert 400 <= answer.status < 500
    assert isinstance(answer.json["error"]["code"], str) and answer.json["error"]["message"]


async def test_a_search_finds_names_and_lines(rig: Rig, workspace: Path) -> None:
    (workspace / "sub").mkdir()
    (workspace / "sub" / "needle.txt").write_text("a\nneedle\n")

    by_name = await ask(rig.server, "GET", "/search", q="NEEDLE", include="*.txt")
    by_content = await ask(rig.server, "GET", "/search/sub", q="needle", mode="content")

    assert [row["path"] for row in by_name.json["data"]] == ["sub/needle.txt"]
    assert [row["line"] for row in by_content.json["data"]] == [2]


# -- downloads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "status", "expected", "content_range"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
    ],
)
async def test_a_download_is_raw_and_may_be_a_part(
    rig: Rig, workspace: Path, wanted: str | None, status: int, expected: bytes, content_range: str | None
) -> None:
    (workspace / "größe.txt").write_bytes(b"0123456789")

    answer = await ask(
        rig.server,
        "GET",
        "/filesystem/gr%C3%B6%C3%9Fe.txt",
        headers={"range": wanted} if wanted else {},
        download="true",
    )

    assert (answer.status, answer.data, answer.headers.get("content-range")) == (
        status,
        expected,
        content_range,
    )
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"
    if status != 416:
        assert answer.headers["content-type"] == "text/plain"
        assert int(answer.headers["content-length"]) == len(expected)


async def test_a_range_of_another_version_is_the_whole_file(rig: Rig, workspace: Path) -> None:
    (workspace / "a").write_text("old")
    tag = (await ask(rig.server, "GET", "/filesystem/a", download="true")).headers["etag"]
    same = {"Range": "bytes=1-1", "If-Range": tag}
    assert (await ask(rig.server, "GET", "/filesystem/a", headers=same, download="1")).data == b"l"

    (workspace / "a").write_text("newer")
    answer = await ask(rig.server, "GET", "/filesystem/a", headers=same, download="1")

    assert (answer.status, answer.data) == (200, b"newer")


async def test_an_empty_file_is_downloaded(rig: Rig, workspace: Path) -> None:
    (workspace / "empty").touch()

    whole = await ask(rig.server, "GET", "/filesystem/empty", download="true")
    part = await ask(rig.server, "GET", "/filesystem/empty", headers={"Range": "bytes=0-"}, download="true")

    assert (whole.status, whole.data, whole.headers["content-length"]) == (200, b"", "0")
    assert part.status == 416


async def test_a_large_download_needs_no_memory(rig: Rig, workspace: Path) -> None:
    size = 100 * 1024 * 1024
    with (workspace / "large").open("wb") as file:
        file.truncate(size)
    await ask(rig.server, "GET", "/filesystem/large", headers={"Range": "bytes=0-9999999"}, download="1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    answer = await ask(rig.server, "GET", "/filesystem/large", keep=False, download="true")

    assert answer.error is None and int(answer.headers["content-length"]) == size
    assert answer.pieces == size // (256 * 1024)
    # The server of this test is in the same process, with what it has not read yet.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024


async def test_a_file_that_shrinks_meanwhile_is_said_to_be_cut(rig: Rig, workspace: Path) -> None:
    path = workspace / "shrinking"
    path.write_bytes(b"x" * 64 * 1024 * 1024)
    asking = asyncio.create_task(ask(rig.server, "GET", "/filesystem/shrinking", download="true"))
    tunnel = await rig.server.tunnel()
    await until(lambda: any(queue.qsize() > 1 for queue in tunnel.waiting.values()) or asking.done())

    os.truncate(path, 1)

    answer = await asking
    assert answer.error is not None or len(answer.data) == 64 * 1024 * 1024


# -- changes ---------------------------------------------------------------------------------------------


async def test_changes_and_differences_of_a_repository(rig: Rig, workspace: Path) -> None:
    repository(workspace, **{"a b": "old\n"})
    (workspace / "a b").write_text("new\n")

    changes = await ask(rig.server, "GET", "/changes")
    diff = await ask(rig.server, "GET", "/diff/a%20b")

    assert [(row["path"], row["status"]) for row in changes.json["data"]] == [("a b", "modified")]
    assert (diff.json["before"], diff.json["after"]) == ("old\n", "new\n")
    git(workspace, "commit", "-qam", "second")
    assert (await ask(rig.server, "GET", "/diff/a%20b")).refusal == (404, "not_found")


async def test_without_a_repository_changes_count_from_the_session_on(rig: Rig, workspace: Path) -> None:
    (workspace / "found").write_text("found\n")
    await begun(rig.server)

    await ask(rig.server, "POST", "/shell", {"command": "echo made > made; echo more >> found"})
    changes = await ask(rig.server, "GET", "/changes")

    assert {row["path"]: row["status"] for row in changes.json["data"]} == {
        "found": "modified",
        "made": "created",
    }
    assert (await ask(rig.server, "GET", "/diff/made")).json["after"] == "made\n"
    assert (await ask(rig.server, "GET", "/diff/found")).refusal == (404, "not_found")


async def test_a_change_is_announced_to_the_session(rig: Rig) -> None:
    stream = rig.server.subscribe()

    def told() -> int:
        return sum(event["type"] == "session.changed_files.invalidated" for event in stream.events)

    await ask(rig.server, "PUT", "/filesystem/a", {"content": "x"})
    await until(lambda: told() == 1)
    await ask(rig.server, "PUT", "/filesystem/a", {"content": "y"})
    await ask(rig.server, "POST", "/shell", {"command": "true"})
    await until(lambda: told() == 2)
    await ask(rig.server, "GET", "/filesystem/a")
    assert told() == 2


# -- shell -----------------------------------------------------------------------------------------------


async def test_a_command_runs_in_the_root(rig: Rig, workspace: Path) -> None:
    answer = await ask(rig.server, "POST", "/shell", {"command": "pwd; echo oops >&2; exit 3"})

    assert answer.json == {
        "object": "session.environment.shell_result",
        "stdout": f"{workspace.resolve()}\n",
        "stderr": "oops\n",
        "exit_code": 3,
        "timed_out": False,
        "cwd": str(workspace.resolve()),
    }


async def test_a_command_without_an_end_is_ended_with_all_it_started(rig: Rig, workspace: Path) -> None:
    command = "echo $$ > pid; sleep 600 & echo $! > child; echo begun; wait"

    answer = await ask(rig.server, "POST", "/shell", {"command": command, "timeout": 0.7})

    assert (answer.status, answer.json["exit_code"], answer.json["timed_out"]) == (200, None, True)
    assert answer.json["stdout"] == "begun\n"
    for name in ("pid", "child"):
        pid = int((workspace / name).read_text())
        await until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc] # the pid of this round


async def test_a_command_ends_when_nobody_waits_any_more(rig: Rig, workspace: Path) -> None:
    asking = asyncio.create_task(
        ask(rig.server, "POST", "/shell", {"command": "echo $$ > pid; mv pid ready; sleep 600"})
    )
    await until((workspace / "ready").exists)
    pid = int((workspace / "ready").read_text())

    await (await rig.server.tunnel()).close(1012)

    await until(lambda: not is_alive(pid))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_output_is_clipped_and_need_not_be_text(rig: Rig) -> None:
    flood = await ask(rig.server, "POST", "/shell", {"command": "yes | head -c 3000000"})
    binary = await ask(rig.server, "POST", "/shell", {"command": "printf 'a\\0b\\377c'"})

    assert 100_000 <= len(flood.json["stdout"]) < 101_000
    assert "bytes omitted" in flood.json["stdout"]
    assert binary.json["stdout"] == "a\ufffdb\ufffdc"


async def test_binary_content_is_written_and_read(rig: Rig, workspace: Path) -> None:
    data = bytes(range(256))

    body = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
    await ask(rig.server, "PUT", "/filesystem/data.bin", body)
    answer = await ask(rig.server, "GET", "/filesystem/data.bin")

    assert (workspace / "data.bin").read_bytes() == data
    assert answer.json["encoding"] == "base64" and base64.b64decode(answer.json["content"]) == data


async def test_a_name_that_is_no_text_is_reached_by_its_bytes(rig: Rig, workspace: Path) -> None:
    (workspace / os.fsdecode(b"\xff")).write_text("odd")

    answer = await ask(rig.server, "GET", "/filesystem/%FF")
    download = await ask(rig.server, "GET", "/filesystem/%FF", download="true")

    assert (answer.json["content"], answer.json["path"]) == ("odd", "\ufffd")
    assert download.headers["content-disposition"] == "attachment; filename*=UTF-8''%FF"
    assert (await ask(rig.server, "GET", "/filesystem")).json["data"] == []

"""What a released runner serves of its machine (files, shell, changes, terminals), and its host for it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.program import wait_for
from tests.interop.released import NO_SANDBOX, SECONDS, Desk, agent, archive

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

PROMPT = b"bash-"
TERMINALS = {"shell": {"command": "bash", "args": ["--norc"], "os_env": NO_SANDBOX}}
TERMINAL = "terminal_shell_main"


@contextmanager
def opened(desk: Desk) -> Iterator[tuple[str, Path]]:
    """A session whose runner is there, in a repository with one commit."""
    workspace = desk.workspace()
    (workspace / "kept.txt").write_text("one\ntwo\n")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments],
            cwd=workspace,
            check=True,
        )
    session_id = desk.session(archive(agent(terminals=TERMINALS)), workspace=workspace)
    desk.stack.api.message(session_id, "hello")
    desk.stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    yield session_id, workspace


def environment(session_id: str, rest: str = "") -> str:
    """A path below the session's environment."""
    return f"/v1/sessions/{session_id}/resources/environments/default{rest}"


def ok(answer: httpx.Response) -> Any:
    """The JSON of an answer that is good."""
    assert answer.status_code == httpx.codes.OK, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


def changed(changes: Any) -> dict[str, str]:
    """What has changed, without the probe that git makes of the disk when the runner has it do so."""
    rows = {row["path"]: row["status"] for row in changes["data"]}
    return {path: status for path, status in rows.items() if not path.startswith("mtime-test-")}


def test_files_are_written_read_changed_compared_and_deleted(desk: Desk) -> None:
    http = desk.stack.api.http
    with opened(desk) as (session_id, workspace):
        made = ok(
            http.put(
                environment(session_id, "/filesystem/deep/new.txt"),
                json={"content": "fresh\n", "create_parents": True},
            )
        )
        edited = ok(
            http.patch(
                environment(session_id, "/filesystem/kept.txt"),
                json={"old_text": "two", "new_text": "three"},
            )
        )
        read = ok(http.get(environment(session_id, "/filesystem/kept.txt")))
        listed = ok(http.get(environment(session_id, "/filesystem")))
        found = ok(http.get(environment(session_id, "/search"), params={"q": "new"}))
        changes = ok(http.get(environment(session_id, "/changes")))
        diff = ok(http.get(environment(session_id, "/diff/kept.txt")))
        raw = http.get(environment(session_id, "/filesystem/kept.txt"), params={"download": "true"})
        ran = ok(
            http.post(environment(session_id, "/shell"), json={"command": "echo out; echo err >&2; exit 3"})
        )
        gone = ok(http.delete(environment(session_id, "/filesystem/deep"), params={"recursive": "true"}))

    assert (made["created"], made["bytes_written"], edited["replacements"]) == (True, 6, 1)
    assert (read["content"], read["encoding"], read["truncated"]) == ("one\nthree\n", "utf-8", False)
    assert raw.content == b"one\nthree\n"
    assert {"deep", "kept.txt"} <= {row["name"] for row in listed["data"]}
    assert "deep/new.txt" in [row["path"] for row in found["data"]]
    assert changed(changes) == {"kept.txt": "modified", "deep/new.txt": "created"}
    assert (diff["before"], diff["after"]) == ("one\ntwo\n", "one\nthree\n")
    assert (ran["stdout"], ran["stderr"], ran["exit_code"]) == ("out\n", "err\n", 3)
    assert gone["deleted"] is True and not (workspace / "deep").exists()
    assert (workspace / "kept.txt").read_text() == "one\nthree\n"


@pytest.mark.parametrize("path", ["../outside.txt", "%2e%2e/outside.txt", "deep/../../outside.txt"])
def test_nothing_outside_the_workspace_is_read(desk: Desk, path: str) -> None:
    with opened(desk) as (session_id, workspace):
        (workspace.parent / "outside.txt").write_text("secret")

        answer = desk.stack.api.http.get(environment(session_id, f"/filesystem/{path}"))

    assert 400 <= answer.status_code < 500
    assert "secret" not in answer.text


def test_files_and_changes_are_read_through_the_host_without_the_runner(desk: Desk) -> None:
    http = desk.stack.api.http
    with opened(desk) as (session_id, workspace):
        desk.runner_of(session_id).kill()
        wait_for(
            lambda: desk.stack.api.snapshot(session_id)["runner_online"] is False,
            seconds=SECONDS,
            what="the runner offline",
            every=0.1,
        )
        (workspace / "kept.txt").write_text("changed\n")

        read = ok(http.get(environment(session_id, "/filesystem/kept.txt")))
        changes = ok(http.get(environment(session_id, "/changes")))
        diff = ok(http.get(environment(session_id, "/diff/kept.txt")))

    assert read["content"] == "changed\n"
    assert changed(changes) == {"kept.txt": "modified"}
    assert (diff["before"], diff["after"]) == ("one\ntwo\n", "changed\n")


def shown(socket: ClientConnection, wanted: bytes) -> bytes:
    """What a terminal shows until it has shown this."""
    seen = b""
    while wanted not in seen:
        data = socket.recv(timeout=SECONDS)
        seen += data if isinstance(data, bytes) else b""
    return seen


def test_a_terminal_is_made_looked_at_resized_and_closed(desk: Desk) -> None:
    api = desk.stack.api
    with opened(desk) as (session_id, _):
        path = f"/v1/sessions/{session_id}/resources/terminals"
        made = ok(api.http.post(path, json={"terminal": "shell", "session_key": "main"}))
        address = f"{desk.stack.url.replace('http', 'ws', 1)}{path}/{TERMINAL}/attach"
        with connect(address, compression=None) as first, connect(f"{address}?read_only=true") as second:
            for socket in (first, second):
                shown(socket, PROMPT)
            first.send(json.dumps({"type": "resize", "cols": 90, "rows": 25}))
            first.send(b"echo see''n; stty size\r")
            for socket in (first, second):
                assert b"25 90" in shown(socket, b"25 90")
            second.send(b"echo intru''sion\r")
            first.send(b"echo on''ce more\r")
            assert b"intrusion" not in shown(second, b"once more")
            listed = [row["id"] for row in api.get(path)["data"]]
            closed = ok(api.http.delete(f"{path}/{TERMINAL}"))
            with pytest.raises(ConnectionClosed) as ended:
                shown(first, b"never shown")

    assert made["id"] == TERMINAL and TERMINAL in listed
    assert closed["deleted"] is True
    assert ended.value.rcvd is not None and ended.value.rcvd.code == 4404

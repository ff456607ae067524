"""A session's workspace over the API: real runners and hosts, any replica, and a runner that is gone."""

import http.client
import json
import os
import signal
import subprocess
from typing import Any
from urllib.parse import urlsplit

import httpx

from omnigent.spec import bundle
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

SECONDS = 40.0
CHANGED = "session.changed_files.invalidated"
LARGE = 9 * 1024 * 1024 + 7
SECRET = "nobody-may-read-this"
AGENT = {
    "spec_version": 1,
    "name": "has-a-workspace",
    "prompt": "p",
    "executor": {"config": {"harness": "scripted"}},
    "os_env": {"type": "caller_process", "sandbox": {"type": "none"}},
}
BAD = (
    "../secret.txt",
    "%2e%2e/secret.txt",
    ".%2e/secret.txt",
    "..%2fsecret.txt",
    "%252e%252e/secret.txt",
    "a/../../secret.txt",
    "a%00b",
    "a%ffb",
    "out/secret.txt",
    "out.txt",
)
"""Names that lead out of the workspace, the last two over links."""


def with_workspace(stack: Stack) -> str:
    """A session in a repository, whose runner is there."""
    root = stack.home / "project"
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    files = {"config.yaml": json.dumps(AGENT).encode()}
    parts: dict[str, tuple[str | None, str | bytes, str]] = {
        "metadata": (None, json.dumps({"host_id": "auto", "workspace": str(root)}), "application/json"),
        "bundle": ("agent.tar.gz", bundle.pack(files), "application/gzip"),
    }
    answer = stack.api.http.post("/v1/sessions", files=parts)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    session_id = str(answer.json()["id"])
    stack.api.message(session_id, "Count to 1")
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    return session_id


def exactly(url: str, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """A request whose path is sent as it stands; clients of other kinds tidy it."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_file_from_its_first_writing_to_its_end_and_what_the_host_reads_without_the_runner(
    own_stack: Stack,
) -> None:
    session_id = with_workspace(own_stack)
    base = f"/v1/sessions/{session_id}/resources/environments/default"
    first, last = own_stack.api_of(0).http, own_stack.api_of(len(own_stack.ports) - 1).http
    reader = own_stack.stream(session_id)

    def done(answer: httpx.Response) -> Any:
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    facts = done(last.get(base))["metadata"]
    root = facts["root"]
    assert facts["role"] == "primary"
    written = done(last.put(f"{base}/filesystem/src/a b.txt", json={"content": "one\ntwo\n"}))
    assert (written["created"], written["bytes_written"]) == (True, 8)
    edit = {"old_text": "two", "new_text": "drei"}
    assert done(first.patch(f"{base}/filesystem/src/a b.txt", json=edit))["replacements"] == 1
    read = done(last.get(f"{base}/filesystem/src/a b.txt"))
    assert (read["content"], read["encoding"]) == ("one\ndrei\n", "utf-8")
    assert read["path"] == "src/a b.txt"
    wait_for(lambda: CHANGED in reader.types(), seconds=SECONDS, what="the news")

    look(first, base, root)
    download(own_stack, last, base)
    links(own_stack, first, base, root)
    shell(first, base, root)

    kill_the_runner(own_stack)
    look(last, base, root)
    assert done(last.get(base))["metadata"]["root"] == root
    refused = last.put(f"{base}/filesystem/a", json={"content": ""})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "runner_unavailable")
    assert last.post(f"{base}/shell", json={"command": "ls"}).status_code == 503
    stays_inside(own_stack, base)

    own_stack.api.message(session_id, "Count to 1")
    own_stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    full = last.delete(f"{base}/filesystem/src")
    assert (full.status_code, type(full.json()["detail"])) == (409, str)
    assert done(last.delete(f"{base}/filesystem/src", params={"recursive": "true"}))["deleted"] is True
    assert first.get(f"{base}/filesystem/src").status_code == 404
    assert SECRET not in own_stack.logs()


def look(client: httpx.Client, base: str, root: str) -> None:
    """What runner and host tell alike."""
    page = client.get(f"{base}/filesystem", params={"order": "asc"}).json()
    assert page["base"] == root
    assert "src" in [row["name"] for row in page["data"]]
    inside = client.get(f"{base}/filesystem/src").json()
    assert [(row["path"], row["type"]) for row in inside["data"]] == [("src/a b.txt", "file")]
    by_name = client.get(f"{base}/search", params={"q": "A B"}).json()
    assert [row["path"] for row in by_name["data"]] == ["src/a b.txt"]
    by_content = client.get(f"{base}/search/src", params={"q": "drei", "mode": "content"}).json()
    assert [(row["path"], row["line"], row["text"]) for row in by_content["data"]] == [
        ("src/a b.txt", 2, "drei")
    ]
    changes = client.get(f"{base}/changes").json()
    assert ("src/a b.txt", "created") in [(row["path"], row["status"]) for row in changes["data"]]
    diff = client.get(f"{base}/diff/src/a b.txt").json()
    assert (diff["path"], diff["after"]) == ("src/a b.txt", "one\ndrei\n")
    assert client.get(f"{base}/filesystem/missing").status_code == 404


def download(stack: Stack, client: httpx.Client, base: str) -> None:
    """Bytes, whole and in part."""
    make = f"head -c {LARGE} /dev/urandom > big.bin; sha256sum big.bin"
    said = client.post(f"{base}/shell", json={"command": make}).json()
    assert said["exit_code"] == 0, said
    whole = client.get(f"{base}/filesystem/big.bin?download=true")
    assert (whole.status_code, len(whole.content)) == (200, LARGE)
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.headers["x-content-type-options"] == "nosniff"
    span = {"Range": f"bytes={LARGE - 5}-"}
    part = client.get(f"{base}/filesystem/big.bin?download=true", headers=span)
    assert (part.status_code, part.content) == (206, whole.content[-5:])
    beyond = client.get(f"{base}/filesystem/big.bin?download=true", headers={"Range": f"bytes={LARGE}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{LARGE}")


def links(stack: Stack, client: httpx.Client, base: str, root: str) -> None:
    """What lies beside the workspace is not to be had."""
    make = (
        f"cd .. && echo {SECRET} > secret.txt && cd '{root}' && ln -s .. out && ln -s ../secret.txt out.txt"
    )
    assert client.post(f"{base}/shell", json={"command": make}).json()["exit_code"] == 0
    stays_inside(stack, base)


def stays_inside(stack: Stack, base: str) -> None:
    """Every way out is refused, by every method and replica, and nothing of what is outside is told."""
    for index in range(len(stack.ports)):
        for path in BAD:
            for end in (f"/filesystem/{path}", f"/filesystem/{path}?download=true", f"/diff/{path}"):
                status, body = exactly(stack.replica_url(index), "GET", base + end)
                is_link = path.startswith("out")
                # A link is a file that changed; a diff tells where it leads and not what is there.
                assert status in ((200, 400, 403, 404, 503) if is_link else (400,)), (end, status, body)
                assert SECRET.encode() not in body
            status, body = exactly(
                stack.replica_url(index), "PUT", f"{base}/filesystem/{path}", b'{"content":"gone"}'
            )
            assert status in (400, 403, 404, 409, 503), (path, status, body)


def shell(client: httpx.Client, base: str, root: str) -> None:
    """Commands, one of which takes too long."""
    said = client.post(f"{base}/shell", json={"command": "pwd; echo no >&2; exit 3"}).json()
    assert (said["stdout"].strip(), said["stderr"].strip(), said["exit_code"]) == (root, "no", 3)
    late = client.post(f"{base}/shell", json={"command": "sleep 60", "timeout": 0.3}).json()
    assert (late["timed_out"], late["exit_code"]) == (True, None)
    missing = client.post(f"{base}/shell", json={})
    assert (missing.status_code, type(missing.json()["detail"])) == (400, str)


def kill_the_runner(stack: Stack) -> None:
    """End it, and wait until the server knows."""
    [runner] = stack.runner_pids()
    os.kill(runner, signal.SIGKILL)
    stack.wait_no_runners(SECONDS)
    wait_for(lambda: not stack.api.get("/v1/runners")["data"], seconds=SECONDS, what="the runner gone")

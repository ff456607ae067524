"""Terminals of an agent over the API: real processes, tmux, several people and floods of output."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from omnigent.spec import bundle
from tests.e2e.api import of_type, texts
from tests.e2e.conftest import flavours
from tests.e2e.program import wait_for
from tests.e2e.stack import Flavour, Stack

SECONDS = 40.0
KEPT = 8 * 1024 * 1024
MIB = 1024 * 1024
FLOOD = 24 * MIB
GROWTH = 14 * MIB
AGENT = {
    "spec_version": 1,
    "name": "has-a-terminal",
    "prompt": "p",
    "executor": {"config": {"harness": "scripted"}},
    "os_env": {"type": "caller_process", "sandbox": {"type": "none"}},
    "terminals": {"shell": {"command": "bash --norc", "env": {"PS1": "$ "}}},
}


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("daphne-sqlite", marks=pytest.mark.terminal),
        pytest.param("uvicorn-postgres-redis", marks=[pytest.mark.terminal, pytest.mark.cluster]),
    ],
)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    """The usual two, for a machine that has tmux."""
    with flavours(request.param) as flavour:
        yield flavour


class Viewer:
    """Reads a terminal in a thread; keeps how much came, and the end of it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.count = 0
        self.shown = b""
        self.code: int | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def type(self, keys: str) -> None:
        """Press keys."""
        self._socket.send(keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until this was shown."""
        wait_for(lambda: text.encode() in self.shown, seconds=SECONDS, what=f"{text!r} on the terminal")

    def wait_closed(self) -> int:
        """Wait until the server closes; its code."""
        self._thread.join(SECONDS)
        assert self.code is not None, "the viewer was not closed"
        return self.code

    def _read(self) -> None:
        try:
            while True:
                data = self._socket.recv()
                assert isinstance(data, bytes)
                self.count += len(data)
                self.shown = (self.shown + data)[-KEPT:]
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006


@contextmanager
def viewing(url: str, session_id: str, query: str = "") -> Iterator[Viewer]:
    """Look at the session's terminal."""
    path = f"/v1/sessions/{session_id}/resources/terminals/terminal_shell_main/attach{query}"
    with connect(url.replace("http", "ws", 1) + path, compression=None, max_size=None) as socket:
        yield Viewer(socket)


def with_terminal(stack: Stack) -> str:
    """A session whose runner has a terminal open."""
    files = {"config.yaml": json.dumps(AGENT).encode()}
    parts: dict[str, tuple[str | None, str | bytes, str]] = {
        "metadata": (None, json.dumps({"host_id": "auto"}), "application/json"),
        "bundle": ("agent.tar.gz", bundle.pack(files), "application/gzip"),
    }
    answer = stack.api.http.post("/v1/sessions", files=parts)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    session_id = str(answer.json()["id"])
    stack.api.message(session_id, "Count to 1")
    stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    made = stack.api.http.post(f"/v1/sessions/{session_id}/resources/terminals", json={"terminal": "shell"})
    assert made.status_code == httpx.codes.OK, made.text
    assert made.json()["id"] == "terminal_shell_main"
    return session_id


def terminals(stack: Stack, session_id: str) -> Any:
    """The session's terminals."""
    return stack.api.get(f"/v1/sessions/{session_id}/resources/terminals")["data"]


def test_several_people_look_at_a_terminal_and_its_coming_and_going_is_told(stack: Stack) -> None:
    session_id = with_terminal(stack)
    last = stack.replica_url(len(stack.ports) - 1)

    with (
        viewing(stack.replica_url(0), session_id) as first,
        viewing(last, session_id) as second,
        viewing(last, session_id, "?read_only=true") as reader,
    ):
        first.type("echo fi''rst\r")
        for each in (first, second, reader):
            each.wait_for("first")
        reader.type("echo intru''sion\r")
        second.type("echo sec''ond\r")
        for each in (first, second, reader):
            each.wait_for("second")
            assert b"intrusion" not in each.shown
    with viewing(last, session_id) as again:
        again.wait_for("second")
        assert again.shown.startswith(b"\x1b[!p") and b"first" in again.shown
        again.type("exit\r")
        assert again.wait_closed() == 4404

    wait_for(lambda: not terminals(stack, session_id), seconds=SECONDS, what="the terminal gone")
    with viewing(last, session_id) as late:
        assert late.wait_closed() == 4404
    events = [item["event_type"] for item in of_type(stack.api.items(session_id), "resource_event")]
    assert events == ["session.resource.created", "session.resource.deleted"]
    assert "intru''sion" not in stack.logs() and "sec''ond" not in stack.logs()


def test_a_flood_and_a_turn_go_on_beside_each_other_in_bounded_memory(stack: Stack) -> None:
    session_id = with_terminal(stack)
    url = stack.replica_url(len(stack.ports) - 1)
    servers = [psutil.Process(server.pid) for server in stack.servers]
    before = [server.memory_info().rss for server in servers]

    with viewing(url, session_id) as viewer, idle(url, session_id):
        viewer.type("yes\r")
        wait_for(lambda: viewer.count > MIB, seconds=SECONDS, what="a flood")
        stack.api.message(session_id, "Count to 40 slowly")
        wait_for(
            lambda: viewer.count > FLOOD and len(texts(stack.api.items(session_id), "assistant")) == 2,
            seconds=2 * SECONDS,
            what="the flood and the turn",
        )
        growth = [server.memory_info().rss - was for server, was in zip(servers, before, strict=True)]
        viewer.type("\x03")
        viewer.type("echo qui''et\r")
        viewer.wait_for("quiet")

    stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    assert texts(stack.api.items(session_id), "assistant")[-1].split()[-1].startswith("40")
    assert max(growth) < GROWTH


@contextmanager
def idle(url: str, session_id: str) -> Iterator[None]:
    """Somebody who looks at the terminal and never reads."""
    path = f"/v1/sessions/{session_id}/resources/terminals/terminal_shell_main/attach?read_only=true"
    with connect(url.replace("http", "ws", 1) + path, compression=None, max_queue=1) as socket:
        yield
        socket.socket.close()


def test_a_killed_runner_closes_its_viewers_and_its_terminals_are_503(own_stack: Stack) -> None:
    session_id = with_terminal(own_stack)
    with viewing(own_stack.url, session_id) as viewer:
        viewer.type("echo he''re\r")
        viewer.wait_for("here")
        [runner] = own_stack.runner_pids()
        os.kill(runner, signal.SIGKILL)

        assert viewer.wait_closed() == 1012
    answer = own_stack.api.http.get(f"/v1/sessions/{session_id}/resources/terminals")
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json()["error"]["code"] == "runner_unavailable"

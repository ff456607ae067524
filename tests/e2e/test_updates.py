"""The updates socket of one replica, changes through another."""

import json
import time
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.e2e.stack import Stack

SECONDS = 30.0


def read_until(socket: ClientConnection, session_id: str, **shown: Any) -> None:
    """Read frames until the session's row shows this."""
    deadline, rows = time.monotonic() + SECONDS, []
    while time.monotonic() < deadline:
        frame = json.loads(socket.recv(timeout=deadline - time.monotonic()))
        rows += [row for row in frame.get("items", ()) if row["id"] == session_id]
        if rows and shown.items() <= rows[-1].items():
            return
    raise AssertionError(f"not in time: {rows}")


@pytest.mark.parametrize("flavour", ["uvicorn-postgres-redis"], indirect=True)
@pytest.mark.cluster
def test_a_change_on_one_replica_is_seen_on_the_other(stack: Stack) -> None:
    here, there = stack.api_of(0), stack.api_of(1)
    session_id = here.create()["id"]
    url = there.url.replace("http", "ws") + "/v1/sessions/updates"
    with connect(url, compression=None) as socket:
        socket.send(json.dumps({"type": "watch", "session_ids": [session_id]}))
        read_until(socket, session_id, status="idle")

        assert here.http.patch(f"/v1/sessions/{session_id}", json={"title": "Renamed"}).status_code == 200
        read_until(socket, session_id, title="Renamed")

        here.message(session_id, "Say hello")
        read_until(socket, session_id, status="running")
        read_until(socket, session_id, status="idle")

        born = here.create()["id"]
        read_until(socket, born, status="idle")


def test_a_change_is_pushed(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    url = stack.url.replace("http", "ws") + "/v1/sessions/updates"
    with connect(url, compression=None) as socket:
        socket.send(json.dumps({"type": "watch", "session_ids": [session_id]}))
        read_until(socket, session_id, status="idle")
        stack.api.http.patch(f"/v1/sessions/{session_id}", json={"title": "Renamed"})
        read_until(socket, session_id, title="Renamed")

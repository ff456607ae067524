"""Messages of many megabytes over real tunnels: allowed ones pass, larger ones cost only the connection."""

import json
import secrets

from omnigent.protocol.frames import MAX_FRAME_BYTES, Request
from tests.e2e.dialled import DialledHost, DialledRunner
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

TEXT_BYTES = 24 * 1024 * 1024


def test_a_large_answer_of_a_runner_passes_in_one_frame(stack: Stack) -> None:
    # In the frame each character is escaped, which makes it three times as large.
    output = "ä" * (TEXT_BYTES // 2)

    def answer(request: Request) -> bytes:
        is_tool = request.path.endswith("/mcp/execute")
        return json.dumps({"result": {"output": output}} if is_tool else {}).encode()

    with DialledRunner(stack.replica_url(0), answer) as runner:
        api = stack.api_of(len(stack.ports) - 1)
        session = api.create(host_id=None)
        wait_for(
            lambda: api.get(f"/v1/runners/{runner.name}/status")["online"], seconds=10, what="the runner"
        )
        bound = api.http.patch(f"/v1/sessions/{session['id']}", json={"runner_id": runner.name})
        assert bound.is_success, bound.text
        params = {"name": "sys_os_read", "arguments": {"path": "large"}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        reply = api.http.post(f"/v1/sessions/{session['id']}/mcp", json=call, timeout=60)

    assert reply.json()["result"]["content"] == [{"type": "text", "text": output}]


def test_a_message_over_the_limit_costs_the_connection_and_not_the_registration(stack: Stack) -> None:
    name = secrets.token_hex(16)
    url = stack.replica_url(0)
    with DialledHost(url, name) as host:
        wait_for(lambda: status_of(stack, name) == "online", seconds=10, what="the host online")
        host.send(json.dumps({"kind": "pong", "ts": 1, "filler": "x" * MAX_FRAME_BYTES}))
        host.until_closed()
    wait_for(lambda: status_of(stack, name) == "offline", seconds=10, what="the host offline")

    with DialledHost(url, name) as host:
        wait_for(lambda: status_of(stack, name) == "online", seconds=10, what="the host online again")
        host.send(json.dumps({"kind": "pong", "ts": 1, "filler": "x" * (MAX_FRAME_BYTES - 1024)}))
        host.send(json.dumps({"kind": "pong", "ts": 2}))
        assert status_of(stack, name) == "online"
    assert stack.has_host()


def status_of(stack: Stack, name: str) -> str | None:
    """How a host stands, as the API tells it."""
    hosts = stack.api.get("/v1/hosts")["hosts"]
    return next((str(host["status"]) for host in hosts if host["host_id"] == name), None)

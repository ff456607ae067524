"""While a session's runner is away its host reads the workspace, and only that."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.protocol import host_frames
from sessions_app.models import Session
from sessions_app.process import Process
from tests.environments.workspace import ROOT, Workspace, address, ask
from tests.factories import make_session
from tests.sessions.fake_host import HOST, FakeHost, connected
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner

GONE = "runner_" + "0" * 32
PAGE = {"object": "list", "base": ROOT, "data": [], "has_more": False}
LISTING = {"limit": 20, "order": "desc"}
SEARCH = {"include": None, "exclude": None, "limit": 500}
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "/filesystem": ("list_or_read", {**LISTING, "path": ""}),
    "/filesystem/src/%C3%A4.txt?limit=3&after=b": (
        "list_or_read",
        {**LISTING, "limit": 3, "after": "b", "path": "src/ä.txt"},
    ),
    "/search?q=a": ("search", {**SEARCH, "q": "a", "path": ""}),
    "/search/src?q=a&include=*.py&mode=content": (
        "search",
        {**SEARCH, "q": "a", "include": "*.py", "mode": "content", "path": "src"},
    ),
    "/changes": ("changes", {}),
    "/diff/a.txt": ("diff", {"path": "a.txt"}),
}


@pytest.fixture
async def host(app: Gate, process: Process) -> AsyncIterator[FakeHost]:
    """A host that answers every look with a page."""
    host = FakeHost(HOST)
    answers(host, status="ok", payload=PAGE)
    async with connected(app, host):
        await until(lambda: process.tunnels.get("host", HOST))
        yield host


@pytest.fixture
async def asleep(process: Process) -> Session:
    """A session on that host whose runner has gone."""
    return await process.pool.run(make_session, runner_id=GONE, host_id=HOST, workspace=ROOT)


def answers(host: FakeHost, **result: Any) -> None:
    """What the host answers from now on."""
    host.handlers[host_frames.FsRequest] = lambda ask: host_frames.FsResult(
        request_id=ask.request_id, **result
    )


async def test_the_host_is_asked_for_what_the_runner_would_be(
    app: Gate, host: FakeHost, asleep: Session
) -> None:
    for end in LOOKS:
        reply = await ask(app, "GET", address(asleep, end))
        assert (reply.status, reply.json) == (200, PAGE)

    asked = host.asked_for(host_frames.FsRequest)
    assert [(one.op, dict(one.params)) for one in asked] == list(LOOKS.values())
    assert {(one.workspace, one.session_id) for one in asked} == {(ROOT, asleep.public_id)}


async def test_a_runner_that_is_there_is_asked_alone(
    app: Gate, process: Process, host: FakeHost, runner: FakeRunner, workspace: Workspace
) -> None:
    session = await process.pool.run(make_session, runner_id=runner.runner_id, host_id=HOST, workspace=ROOT)
    workspace.answers["GET", "/environments/default/diff/a"] = (
        404,
        {"error": {"code": "not_found", "message": "unchanged"}},
    )

    assert (await ask(app, "GET", address(session, "/changes"))).json["object"] == "answer"
    assert (await ask(app, "GET", address(session, "/diff/a"))).status == 404
    assert host.asked_for(host_frames.FsRequest) == []


NOT_FOR_HOSTS = [
    ("GET", "/filesystem/etc?base=host", b""),
    ("GET", "/filesystem//etc", b""),
    ("GET", "/filesystem/C:%5Cwindows", b""),
    ("GET", "/filesystem/a.txt?download=true", b""),
    ("PUT", "/filesystem/a", b'{"content":""}'),
    ("PATCH", "/filesystem/a", b'{"old_text":"a","new_text":"b"}'),
    ("DELETE", "/filesystem/a", b""),
    ("POST", "/shell", b'{"command":"ls"}'),
]


async def test_writes_commands_and_what_is_outside_wait_for_the_runner(
    app: Gate, host: FakeHost, asleep: Session
) -> None:
    found = [
        (await ask(app, method, address(asleep, end), body)).status for method, end, body in NOT_FOR_HOSTS
    ]
    terminals = await ask(app, "GET", address(asleep, "/filesystem", "env_terminal_shell_main"))

    assert found == [503] * len(NOT_FOR_HOSTS)
    assert terminals.status == 503
    assert host.asked_for(host_frames.FsRequest) == []


RESULTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "missing": (
        {"status": "error", "error_status": 404, "error_code": "not_found", "error": "Path 'a' not found"},
        404,
        "not_found",
    ),
    "a bad path": ({"status": "error", "error_status": 400, "error": "no"}, 400, "invalid_input"),
    "a fault": ({"status": "error", "error_status": 500, "error": "secret"}, 502, "runner_unavailable"),
    "not supported": ({"status": "error", "error": "secret"}, 503, "runner_unavailable"),
    "not known": ({"status": "error", "error_status": 501, "error": "secret"}, 503, "runner_unavailable"),
    "no object": ({"status": "ok", "payload": ["secret"]}, 502, "runner_unavailable"),
    "nothing": ({"status": "ok"}, 502, "runner_unavailable"),
}


async def test_a_hosts_refusal_is_passed_on_and_nonsense_is_not(
    app: Gate, host: FakeHost, asleep: Session
) -> None:
    for name, (result, status, code) in RESULTS.items():
        answers(host, **result)
        reply = await ask(app, "GET", address(asleep, "/changes"))
        assert (reply.status, reply.json["error"]["code"]) == (status, code), name
        assert b"secret" not in reply.body


async def test_without_its_host_it_is_503_and_before_the_first_runner_409(
    app: Gate, process: Process, host: FakeHost
) -> None:
    elsewhere = await process.pool.run(make_session, runner_id=GONE, host_id="b" * 32, workspace=ROOT)
    nowhere = await process.pool.run(make_session, runner_id=GONE, host_id=HOST)
    new = await process.pool.run(make_session, host_id=HOST, workspace=ROOT)

    found = [(await ask(app, "GET", address(one, "/changes"))).status for one in (elsewhere, nowhere, new)]

    assert found == [503, 503, 409]
    assert host.asked_for(host_frames.FsRequest) == []


async def test_the_environment_is_shown_as_one_to_read(app: Gate, host: FakeHost, asleep: Session) -> None:
    one = await ask(app, "GET", address(asleep))
    listed = await ask(app, "GET", address(asleep).removesuffix("/default"))
    other = await ask(app, "GET", address(asleep, environment="env_terminal_shell_main"))

    assert (one.status, listed.status, other.status) == (200, 200, 503)
    assert one.json["metadata"]["reachable"] == {
        "unconfined": False,
        "roots": [{"path": ROOT, "access": "read", "origin": "workspace"}],
    }
    assert listed.json["data"] == [one.json]

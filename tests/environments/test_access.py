"""Who may look into a session's workspace, write to it and run commands there, of many users."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Session
from sessions_app.process import Process
from tests.environments.workspace import SECRET, Workspace, address, ask
from tests.factories import make_session
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.shared_session import headers_of, owners_runner, shared_session

PEOPLE = ("sven", "rita", "edgar", "mona", "olga")
WRITTEN, COMMAND = b'{"content":"x"}', b'{"command":"ls"}'
ROUTES = {
    ("GET", "", b""): [404, 200, 200, 200, 200],
    ("GET", "/filesystem", b""): [404, 403, 200, 200, 200],
    ("GET", "/filesystem/a.txt", b""): [404, 403, 200, 200, 200],
    ("GET", "/filesystem/a.txt?download=true", b""): [404, 403, 200, 200, 200],
    ("GET", "/filesystem/etc?base=host", b""): [404, 403, 403, 403, 200],
    ("GET", "/filesystem/%2Fetc", b""): [404, 403, 403, 403, 200],
    ("GET", "/filesystem/C:%5Cwindows", b""): [404, 403, 403, 403, 200],
    ("GET", "/search?q=a", b""): [404, 403, 200, 200, 200],
    ("GET", "/search/etc?q=a&base=host", b""): [404, 403, 403, 403, 200],
    ("GET", "/changes", b""): [404, 403, 200, 200, 200],
    ("GET", "/diff/a.txt", b""): [404, 403, 200, 200, 200],
    ("GET", "/diff//etc/hosts", b""): [404, 403, 403, 403, 200],
    ("PUT", "/filesystem/a.txt", WRITTEN): [404, 403, 200, 200, 200],
    ("PUT", "/filesystem/a.txt?base=host", WRITTEN): [404, 403, 403, 403, 200],
    ("PATCH", "/filesystem/a.txt", b'{"old_text":"a","new_text":"b"}'): [404, 403, 200, 200, 200],
    ("DELETE", "/filesystem/a.txt", b""): [404, 403, 200, 200, 200],
    ("DELETE", "/filesystem//etc", b""): [404, 403, 403, 403, 200],
    ("POST", "/shell", COMMAND): [404, 403, 403, 403, 200],
}
"""What a stranger, a reader, an editor, a manager and the owner get."""


@pytest.fixture(autouse=True)
def many_users(settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
async def runner(process: Process, app: Gate) -> AsyncIterator[FakeRunner]:
    """The owner's runner."""
    async with owners_runner(process, app) as runner:
        yield runner


@pytest.fixture
async def session(process: Process, runner: FakeRunner) -> Session:
    """The owner's session, which others may do something with."""
    return await shared_session(process, runner)


async def test_levels_decide(process: Process, app: Gate, workspace: Workspace, session: Session) -> None:
    headers = {name: await headers_of(process, name) for name in PEOPLE}
    found = {}
    for route in ROUTES:
        method, end, body = route
        replies = [await ask(app, method, address(session, end), body, headers[name]) for name in PEOPLE]
        found[route] = [reply.status for reply in replies]
        assert not any(SECRET in reply.body for reply in replies)

    assert found == ROUTES
    let_in = sum(statuses.count(200) for statuses in ROUTES.values())
    assert len(workspace.asked) == let_in


async def test_shared_files_can_be_read_by_readers_and_by_nobody_else(
    process: Process, app: Gate, workspace: Workspace, session: Session
) -> None:
    await process.pool.run(lambda: Session.objects.filter(pk=session.pk).update(share_workspace_files=True))
    rita, sven = await headers_of(process, "rita"), await headers_of(process, "sven")
    ends = {
        "/filesystem": 200,
        "/filesystem/a.txt": 200,
        "/filesystem/a.txt?download=true": 200,
        "/filesystem//etc": 403,
        "/search?q=a": 403,
        "/changes": 403,
        "/diff/a.txt": 403,
    }

    assert {end: (await ask(app, "GET", address(session, end), b"", rita)).status for end in ends} == ends
    assert {(await ask(app, "GET", address(session, end), b"", sven)).status for end in ends} == {404}
    assert "scope=reach" not in "".join(workspace.lines)
    assert (await ask(app, "PUT", address(session, "/filesystem/a"), WRITTEN, rita)).status == 403


async def test_a_runner_reads_in_its_own_sessions_and_writes_and_runs_nowhere(
    process: Process, app: Gate, workspace: Workspace, session: Session
) -> None:
    other = await process.pool.run(lambda: make_session(owner="olga", runner_id="runner_" + "0" * 32))
    owner = await headers_of(process, "olga")
    headers = {**owner, "X-Omnigent-Runner-Tunnel-Token": "secret"}
    reads, writes = [], []
    for one in (session, other):
        reads.append((await ask(app, "GET", address(one, "/filesystem"), b"", headers)).status)
        for method, end, body in ROUTES:
            if method != "GET":
                writes.append((await ask(app, method, address(one, end), body, headers)).status)

    assert reads == [200, 404]
    assert set(writes[: len(writes) // 2]) == {403}
    assert set(writes[len(writes) // 2 :]) == {404}
    assert [line.partition(" ")[0] for line in workspace.lines] == ["GET"]


async def test_a_runner_on_this_machine_runs_nothing_either(
    process: Process, app: Gate, workspace: Workspace, session: Session, settings: Any
) -> None:
    settings.OMNIGENT_AUTH_MODE = "single-user"
    headers = {"X-Omnigent-Runner-Tunnel-Token": "secret"}

    as_runner = await ask(app, "POST", address(session, "/shell"), COMMAND, headers)
    as_user = await ask(app, "POST", address(session, "/shell"), COMMAND)

    assert (as_runner.status, as_user.status) == (403, 200)

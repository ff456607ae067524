"""What the routes of environments ask a runner, answer, and tell the session's readers."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from omnigent.accounts.gate import Gate
from sessions_app.events import log
from sessions_app.models import Receipt, Session
from sessions_app.process import Process
from tests.environments.workspace import Workspace, address, ask
from tests.factories import make_session
from tests.stream.reader import Reader
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner

CHANGED = "session.changed_files.invalidated"
READS = {
    "": "",
    "/filesystem": "/filesystem?limit=20&order=desc",
    "/filesystem/src/a.txt?limit=5&order=asc&after=src/b": (
        "/filesystem/src/a.txt?limit=5&after=src%2Fb&order=asc&scope=reach"
    ),
    "/search?q=a%20b": "/search?q=a+b&limit=500",
    "/search/src?q=a&include=*.py&exclude=x&limit=7&mode=content": (
        "/search/src?q=a&include=%2A.py&exclude=x&limit=7&mode=content"
    ),
    "/changes": "/changes",
    "/diff/src/a.txt": "/diff/src/a.txt",
}
WRITES: dict[str, tuple[str, str, Any, str, Any]] = {
    "write": (
        "PUT",
        "/filesystem/a.txt",
        {"content": "x", "more": 1},
        "/filesystem/a.txt",
        {"content": "x", "encoding": "utf-8", "create_parents": True},
    ),
    "write bytes": (
        "PUT",
        "/filesystem/a.bin",
        {"content": "/wA=", "encoding": "base64", "create_parents": False},
        "/filesystem/a.bin",
        {"content": "/wA=", "encoding": "base64", "create_parents": False},
    ),
    "edit": (
        "PATCH",
        "/filesystem/a.txt",
        {"old_text": "a", "new_text": ""},
        "/filesystem/a.txt",
        {"old_text": "a", "new_text": "", "replace_all": False},
    ),
    "delete": ("DELETE", "/filesystem/a", None, "/filesystem/a", None),
    "delete all": ("DELETE", "/filesystem/a?recursive=true", None, "/filesystem/a?recursive=true", None),
    "shell": ("POST", "/shell", {"command": "ls", "timeout": 3}, "/shell", {"command": "ls", "timeout": 3.0}),
}


def body_of(value: Any) -> bytes:
    return b"" if value is None else orjson.dumps(value)


async def test_reads_go_to_the_runner_with_what_was_asked(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    for sent in READS:
        reply = await ask(app, "GET", address(session, sent))
        assert reply.status == 200, reply.body
        assert reply.json["object"] == "answer"
        assert reply.headers["cache-control"] == "no-store"

    assert workspace.lines == [f"GET {address(session)}{passed}" for passed in READS.values()]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_write_goes_to_the_runner_once_and_readers_are_told(
    process: Process,
    app: Gate,
    workspace: Workspace,
    session: Session,
    write: tuple[str, str, Any, str, Any],
) -> None:
    method, sent, body, passed, expected = write
    key = {"Idempotency-Key": "k1"}
    async with Reader(app, session.public_id) as reader:
        first = await ask(app, method, address(session, sent), body_of(body), key)
        again = await ask(app, method, address(session, sent), body_of(body), key)
        other = await ask(
            app, method, address(session, sent), body_of({**(body or {}), "content": "aaaa"}), key
        )
        await until(lambda: CHANGED in [frame.event for frame in reader.frames])

    assert (first.status, again.status, other.status) == (200, 200, 422)
    assert first.json == again.json
    assert workspace.lines == [f"{method} {address(session)}{passed}"]
    assert orjson.loads(workspace.asked[0].body or "null") == expected
    [told] = await changes_told(process, session)
    assert (told["session_id"], told["environment_id"]) == (session.public_id, "default")


async def changes_told(process: Process, session: Session) -> list[Any]:
    """The events about changed files in the session's log."""
    entries = await process.pool.run(log.read, session.pk, 0)
    return [orjson.loads(entry.data) for entry in entries if entry.type == CHANGED]


async def test_a_refused_write_is_not_kept_and_tells_nobody(
    process: Process, app: Gate, workspace: Workspace, session: Session
) -> None:
    end = "/environments/default/filesystem/d"
    refusal = {"error": {"code": "conflict", "message": "Directory 'd' is not empty"}}
    workspace.answers["DELETE", end] = (409, refusal)
    path, key = address(session, "/filesystem/d"), {"Idempotency-Key": "k1"}

    refused = await ask(app, "DELETE", path, headers=key)
    del workspace.answers["DELETE", end]
    done = await ask(app, "DELETE", path, headers=key)

    assert (refused.status, refused.json["detail"]) == (409, "Directory 'd' is not empty")
    assert done.status == 200
    assert len(await changes_told(process, session)) == 1


ANSWERS = {
    "refused": ((400, {"error": {"code": "invalid_input", "message": "no"}}), 400, "invalid_input"),
    "missing": ((404, {"error": {"code": "not_found", "message": "Path 'a' not found"}}), 404, "not_found"),
    "a text alone": ((403, {"detail": "outside"}), 403, "forbidden"),
    "too large": ((413, {"detail": "too large"}), 413, "payload_too_large"),
    "no agent": (
        (410, {"error": "session_agent_missing", "detail": "gone"}),
        410,
        "session_agent_missing",
    ),
    "a list of problems": ((422, {"detail": [{"msg": "secret"}]}), 502, "runner_unavailable"),
    "a fault": ((500, {"error": {"code": "x", "message": "secret"}}), 502, "runner_unavailable"),
    "a login": ((401, {"error": {"code": "x", "message": "secret"}}), 502, "runner_unavailable"),
    "a redirect": ((302, {}), 502, "runner_unavailable"),
    "not JSON": ((200, b"<p>secret</p>"), 502, "runner_unavailable"),
    "not UTF-8": ((200, b'{"a":"\xff secret"}'), 502, "runner_unavailable"),
    "a list": ((200, ["secret"]), 502, "runner_unavailable"),
    "no reason": ((404, {"error": 7}), 502, "runner_unavailable"),
}


async def test_a_runners_refusal_is_passed_on_and_nonsense_is_not(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    wrong = {}
    for name, (answer, status, code) in ANSWERS.items():
        for method, end, body in (("GET", "/diff/a", b""), ("PUT", "/filesystem/a", b'{"content":""}')):
            workspace.answers[method, f"/environments/default{end}"] = answer
            reply = await ask(app, method, address(session, end), body)
            if (reply.status, reply.json["error"]["code"]) != (status, code) or b"secret" in reply.body:
                wrong[name, method] = reply.body
            if status == 502 and not isinstance(reply.json.get("detail"), str):
                wrong[name, method] = reply.body

    assert wrong == {}


ENDS = [("GET", read, b"") for read in READS] + [
    (method, end, body_of(body)) for method, end, body, _, _ in WRITES.values()
]


async def test_without_a_runner_it_is_409_and_while_it_is_away_503(process: Process, app: Gate) -> None:
    unbound = await process.pool.run(make_session)
    away = await process.pool.run(make_session, runner_id="runner_" + "0" * 32)
    wrong = []

    for method, end, body in ENDS:
        for session, status, code in ((unbound, 409, "conflict"), (away, 503, "runner_unavailable")):
            reply = await ask(app, method, address(session, end), body)
            if (reply.status, reply.json["error"]["code"]) != (status, code):
                wrong.append((method, end, reply.body))

    assert wrong == []


async def test_a_runner_that_goes_in_between_is_503(
    app: Gate, runner: FakeRunner, workspace: Workspace, session: Session
) -> None:
    workspace.held = {"GET", "PUT"}
    reads = asyncio.create_task(ask(app, "GET", address(session, "/changes")))
    writes = asyncio.create_task(ask(app, "PUT", address(session, "/filesystem/a"), b'{"content":""}'))
    await until(lambda: len(workspace.asked) == 2)

    await runner.hang_up()

    assert [(await task).status for task in (reads, writes)] == [503, 503]


BODIES = {
    "PUT": [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"content":1}',
        b'{"content":"\\ud800"}',
        b'{"content":"","encoding":"x"}',
    ],
    "PATCH": [
        b"{}",
        b'{"old_text":"","new_text":"a"}',
        b'{"old_text":"a"}',
        b'{"old_text":1,"new_text":"a"}',
    ],
    "POST": [b"[]", b'{"command":1}', b'{"command":"a","timeout":0}', b'{"command":"a","timeout":1e9}'],
}


async def test_bad_bodies_are_refused(app: Gate, workspace: Workspace, session: Session) -> None:
    ends = {"PUT": "/filesystem/a", "PATCH": "/filesystem/a", "POST": "/shell"}
    for method, bodies in BODIES.items():
        for body in bodies:
            reply = await ask(app, method, address(session, ends[method]), body)
            assert (reply.status, type(reply.json["detail"])) == (422, list), body
    encoded = await ask(
        app, "PUT", address(session, "/filesystem/a"), b'{"content":"a=","encoding":"base64"}'
    )
    missing = await ask(app, "POST", address(session, "/shell"), b'{"timeout":1}')
    text = await ask(
        app, "POST", address(session, "/shell"), b'{"command":"ls"}', {"content-type": "text/plain"}
    )

    assert (encoded.status, encoded.json["error"]["code"]) == (400, "invalid_input")
    assert (missing.status, missing.json["detail"]) == (400, "command is required")
    assert text.status == 415
    assert workspace.asked == []


QUERIES = [
    "/filesystem?limit=0",
    "/filesystem?limit=1001",
    "/filesystem?order=up",
    "/filesystem?base=moon",
    "/filesystem/a?download=maybe",
    "/search",
    "/search?q=",
    "/search?q=%20",
    "/search?q=a&limit=501",
    "/search?q=a&mode=guess",
]


async def test_bad_queries_are_refused(app: Gate, workspace: Workspace, session: Session) -> None:
    found = {query: (await ask(app, "GET", address(session, query))).status for query in QUERIES}

    assert found == dict.fromkeys(QUERIES, 422)
    assert workspace.asked == []


async def test_a_body_over_the_limit_is_not_read(
    app: Gate, workspace: Workspace, session: Session, settings: Any
) -> None:
    settings.OMNIGENT_BODY_LIMIT = 2048
    body = b'{"content":"%s"}' % (b"x" * 4096)

    reply = await ask(app, "PUT", address(session, "/filesystem/a"), body)

    assert reply.status in (400, 413)
    assert workspace.asked == []


async def test_a_command_nobody_waits_for_is_cancelled_and_one_under_a_key_goes_on(
    app: Gate, runner: FakeRunner, workspace: Workspace, session: Session
) -> None:
    workspace.held = {"POST"}
    body = b'{"command":"sleep 9"}'
    waits = asyncio.create_task(ask(app, "POST", address(session, "/shell"), body))
    keyed = asyncio.create_task(ask(app, "POST", address(session, "/shell"), body, {"Idempotency-Key": "k1"}))
    await until(lambda: len(workspace.asked) == 2)

    busy = await ask(app, "POST", address(session, "/shell"), body, {"Idempotency-Key": "k1"})
    waits.cancel()
    await until(lambda: len(runner.cancelled) == 1)
    [left] = [one for one in workspace.asked if one.id_ not in runner.cancelled]
    runner.answer(left, 200, b'{"exit_code":0}')

    assert busy.status == 409
    assert (await keyed).json == {"exit_code": 0}


async def test_a_long_command_is_run_once_however_often_it_is_sent_again(
    process: Process,
    app: Gate,
    runner: FakeRunner,
    workspace: Workspace,
    session: Session,
    settings: Any,
) -> None:
    settings.OMNIGENT_LAUNCH_SECONDS = 3.0
    workspace.held = {"POST"}
    body, key = b'{"command":"sleep 99"}', {"Idempotency-Key": "k1"}
    keyed = asyncio.create_task(ask(app, "POST", address(session, "/shell"), body, key))
    await until(lambda: workspace.asked)

    def begun() -> Any:
        return Receipt.objects.values_list("created_at", flat=True).get()

    first = await process.pool.run(begun)

    async def is_long() -> bool:
        return bool(await process.pool.run(begun) > first + timedelta(seconds=3))

    await until(is_long)
    again = await ask(app, "POST", address(session, "/shell"), body, key)
    runner.answer(workspace.asked[0], 200, b'{"exit_code":0}')

    assert (again.status, again.json["error"]["code"]) == (409, "idempotency_in_flight")
    assert (await keyed).status == 200
    assert len(workspace.asked) == 1


async def test_what_a_runner_says_of_changed_files_reaches_readers(
    app: Gate, runner: FakeRunner, session: Session
) -> None:
    said = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    body = body_of({"type": "message", "data": said})
    assert (await ask(app, "POST", f"/v1/sessions/{session.public_id}/events", body)).status == 202
    await runner.until_listened(session.public_id)

    runner.emit(session.public_id, {"type": CHANGED, "environment_id": "default"})

    async with Reader(app, session.public_id, after=0) as reader:
        await until(lambda: CHANGED in [frame.event for frame in reader.frames])
        [told] = [frame.body for frame in reader.frames if frame.event == CHANGED]
    assert told["session_id"] == session.public_id

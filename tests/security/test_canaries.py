"""Secrets pass through and leave nothing behind: not in the log, not in clear in the database."""

import asyncio
import base64
import logging
import secrets
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from django.apps import apps
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.ids import runner_id_for
from omnigent.logs import JsonFormatter, KeyValueFormatter
from sessions_app.models import Runner
from sessions_app.process import Process
from tests.accounts.people import PASSWORD, bearer, make_person, token_for
from tests.api_plumbing.asgi_client import Reply, Socket, call
from tests.factories import make_agent, make_runner, make_session
from tests.security.people import (
    BINDING,
    HELLO,
    HOST,
    HOST_HELLO,
    TOKEN_HEADER,
    host_tunnel,
    runner_tunnel,
    text_of,
)
from tests.stream.servers import until

JSON = {"content-type": "application/json"}
KEYED = {**JSON, "idempotency-key": "once"}
ENOUGH_BYTES = 128 // 8
LOGGERS = ("", "omnigent", "sessions_app", "agents_app", "policies_app", "django", "django.request")


def canary(name: str) -> str:
    """A word that is nowhere else."""
    return f"canary-{name}-{secrets.token_hex(12)}"


class Kept(logging.Handler):
    """Every record, as both formats write it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [KeyValueFormatter().format(record), JsonFormatter().format(record)]


@pytest.fixture
def log() -> Any:
    """The whole log, from DEBUG on."""
    kept = Kept()
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    logging.getLogger().addHandler(kept)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield kept
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().removeHandler(kept)


def dump() -> str:
    """Everything in the database, in clear."""
    rows = [repr(list(model.objects.all().values_list())) for model in apps.get_models()]
    return "\n".join(rows)


async def assert_nowhere(process: Process, log: Kept, words: Mapping[str, str]) -> None:
    """None of these words was logged or stored, in any form in which it may have been on its way."""
    text, stored = "\n".join(log.lines), await process.pool.run(dump)
    assert "olga" in stored
    assert log.lines
    for name, word in words.items():
        encoded = base64.b64encode(word.encode()).decode().rstrip("=")
        for form in (word, encoded):
            assert form not in text, f"{name} is in the log"
            assert form not in stored, f"{name} is in the database"


async def greeted(socket: Socket) -> None:
    assert (await socket.next())["type"] == "websocket.accept"


def scene(binding: str, *, host_id: str = HOST) -> str:
    """Olga, her runner and a session on it; gives the session's id."""
    make_person("olga")
    runner = make_runner(binding, owner="olga", host_id=host_id, online=False)
    return str(make_session(owner="olga", runner_id=runner.public_id).public_id)


async def test_what_a_runner_shows_is_kept_nowhere(process: Process, app: Gate, log: Kept) -> None:
    binding = canary("binding")
    runner_id = runner_id_for(binding)
    words = {"binding": binding, "attach": canary("attach"), "frame": canary("frame")}
    session_id = await process.pool.run(scene, binding)
    minting = {TOKEN_HEADER: binding, **KEYED}
    minted = await call(app, "POST", f"/v1/runners/{runner_id}/token", headers=minting)
    words["bearer"] = minted.json["token"]
    shown = {TOKEN_HEADER: binding, **bearer(words["bearer"])}

    async with runner_tunnel(app, runner_id, binding) as socket:
        socket.text(text_of(HELLO, direct_attach_token=words["attach"], direct_attach_port=4000))
        await until(lambda: process.tunnels.get("runner", runner_id))
        for junk in malformed(words["frame"]):
            socket.text(junk)
        socket.incoming.put_nowait({"type": "websocket.receive", "bytes": words["frame"].encode()})
        assert (await call(app, "GET", f"/v1/sessions/{session_id}", headers=shown)).status == 200
        for path, body in (("mcp", b"{"), ("events", b"[1]"), ("policies/evaluate", b"[]")):
            reply = await call(app, "POST", f"/v1/sessions/{session_id}/{path}", body, {**shown, **KEYED})
            assert 400 <= reply.status < 500
    # Where it is refused it is kept no more than where it is good.
    for name, token in (("runner_1", binding), (runner_id_for("another"), binding)):
        async with runner_tunnel(app, name, token) as refused:
            await refused.next()
    async with runner_tunnel(app, runner_id, binding) as silent:
        await greeted(silent)
        silent.text(
            text_of({"kind": "hello"}, direct_attach_token=words["attach"], capabilities=words["attach"])
        )
        assert (await silent.next())["code"] == 4001

    assert any("frame_dropped" in line for line in log.lines)
    await assert_nowhere(process, log, words)


def malformed(word: str) -> list[str]:
    """Frames with a secret in the wrong place."""
    return [
        word,
        f'{{"kind":"response.head","id":"{word}"',
        orjson.dumps({"kind": "response.head", "id": "1", "status": word, "headers": [word]}).decode(),
        orjson.dumps({"kind": "response.body", "id": "1", "body": word, "encoding": word}).decode(),
        orjson.dumps({"kind": "response.body", "id": "1", "body": word, "encoding": "base64"}).decode(),
        orjson.dumps({"kind": "hello", "direct_attach_token": word, "frame_protocol_version": word}).decode(),
        orjson.dumps({"kind": "ws.frame", "ch_id": "1", "data": word, "encoding": 1}).decode(),
        orjson.dumps({"kind": "host.store_secret", "request_id": "1", "value": word}).decode(),
        orjson.dumps({"kind": "host.store_secret_result", "request_id": "1", "secret": word}).decode(),
        orjson.dumps({"kind": "host.stat_result", "request_id": word, "status": [word]}).decode(),
        orjson.dumps({"kind": 5, "token": word}).decode(),
    ]


async def test_what_a_host_shows_and_is_given_is_kept_nowhere(process: Process, app: Gate, log: Kept) -> None:
    words = {"frame": canary("frame")}

    def prepare() -> tuple[str, str]:
        olga = make_person("olga")
        session = make_session(make_agent(harness="scripted"), owner="olga")
        return token_for(olga), str(session.public_id)

    words["token"], session_id = await process.pool.run(prepare)
    hello = text_of(HOST_HELLO, configured_harnesses={"scripted": True}, token=words["frame"])
    async with host_tunnel(app, bearer(words["token"])) as socket:
        await greeted(socket)
        socket.text(hello)
        await until(lambda: process.tunnels.get("host", HOST))
        for junk in malformed(words["frame"]):
            socket.text(junk)
        ended, reply, asked = await launched(app, socket, session_id, words["token"])
        words["binding"] = asked["binding_token"]

    assert reply.status >= 400, reply.body
    assert words["binding"].encode() not in reply.body
    assert ended == runner_id_for(words["binding"])
    await assert_nowhere(process, log, words)


async def launched(app: Gate, socket: Socket, session_id: str, token: str) -> tuple[str, Reply, Any]:
    """A launch that the host refuses: the runner's id, the answer, and what the host was asked."""
    body = orjson.dumps({"session_id": session_id, "workspace": "/srv"})
    path = f"/v1/hosts/{HOST}/runners"
    asking = asyncio.create_task(call(app, "POST", path, body, {**KEYED, **bearer(token)}))
    while True:
        asked = orjson.loads((await socket.next())["text"])
        answer = {"request_id": asked.get("request_id"), "status": "ok"}
        if asked["kind"] == "host.stat":
            stat = {"kind": "host.stat_result", "exists": True, "is_dir": True, "type": "directory"}
            socket.text(text_of(answer, **stat, canonical_path="/srv", path="/srv"))
        elif asked["kind"] == "host.launch_runner":
            failed = {"kind": "host.launch_runner_result", "status": "failed", "error": "no room"}
            socket.text(text_of(answer, **failed))
            return runner_id_for(asked["binding_token"]), await asking, asked


async def test_what_people_show_is_kept_nowhere(
    process: Process, app: Gate, log: Kept, settings: Settings
) -> None:
    words = {name: canary(name) for name in ("userinfo", "guess", "cookie", "query", "basic")}
    await process.pool.run(scene, BINDING)
    credentials = orjson.dumps({"username": "olga", "password": PASSWORD})
    login = await call(app, "POST", "/v1/login", credentials, {**JSON, "origin": "http://127.0.0.1:6767"})
    cookies = [value.decode() for name, value in login.messages[0]["headers"] if name == b"set-cookie"]
    named = [cookie.partition(";")[0] for cookie in cookies]
    session = max(named, key=len)
    login_key = session.partition("=")[2]
    browser = {"cookie": "; ".join(named), "origin": "http://127.0.0.1:6767"}
    wished = orjson.dumps({"name": "mine", "scopes": ["write"]})
    made = await call(app, "POST", "/v1/tokens", wished, {**KEYED, **browser})
    words["token"] = next(value for value in made.json.values() if str(value).startswith("omni_pat_"))
    basic = base64.b64encode(f"olga:{words['basic']}".encode()).decode()

    refused = [
        await call(app, "POST", "/v1/login", wrong_password(words["guess"]), JSON),
        await call(app, "GET", "/v1/me", headers={"authorization": f"Bearer omni_pat_{words['guess']}"}),
        await call(app, "GET", "/v1/sessions", headers={"authorization": f"Basic {basic}"}),
        await call(app, "GET", "/v1/sessions", headers={"cookie": f"sessionid={words['cookie']}"}),
        await call(app, "GET", f"/v1/sessions?token={words['query']}&limit=x", headers=browser),
        await call(app, "GET", "/v1/me", headers={"origin": f"http://u:{words['userinfo']}@127.0.0.1:6767"}),
    ]
    async with Socket(app, f"/v1/sessions/updates?token={words['query']}") as socket:
        first = await socket.next()

    assert made.status in (200, 201)
    assert [reply.status for reply in refused[1:4]] == [401, 401, 401]
    assert refused[5].status == 403
    assert first["status"] == 401
    assert login_key
    assert login_key not in "\n".join(log.lines)
    await assert_nowhere(process, log, words)


def wrong_password(guess: str) -> bytes:
    return orjson.dumps({"username": "olga", "password": guess})


async def test_a_launch_mints_a_token_that_nobody_guesses(process: Process, app: Gate) -> None:
    def prepare() -> tuple[str, list[str]]:
        agent = make_agent(harness="scripted")
        sessions = [make_session(agent, owner="olga") for _ in range(3)]
        return token_for(make_person("olga")), [str(session.public_id) for session in sessions]

    secret, session_ids = await process.pool.run(prepare)
    tokens = []
    async with host_tunnel(app, bearer(secret)) as socket:
        await greeted(socket)
        socket.text(text_of(HOST_HELLO, configured_harnesses={"scripted": True}))
        await until(lambda: process.tunnels.get("host", HOST))
        for session_id in session_ids:
            _, _, asked = await launched(app, socket, session_id, secret)
            tokens.append(asked["binding_token"])

    assert len(set(tokens)) == len(session_ids)
    assert all(len(base64.urlsafe_b64decode(f"{token}==")) >= ENOUGH_BYTES for token in tokens)
    known = await process.pool.run(lambda: set(Runner.objects.values_list("public_id", flat=True)))
    assert known == {runner_id_for(token) for token in tokens}

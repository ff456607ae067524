"""The access table is complete, and it is what the server does: every row with everybody."""

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.access_table import SAFE, SOCKET, TABLE, Needs, Row, Who, refusal
from sessions_app.process import Process
from sessions_app.routing import ROUTES
from tests.contract.calling import Reply, handshake, request
from tests.contract.people import (
    CARE,
    NAMES,
    PASSWORD,
    SECRETS,
    SESSION_POLICY,
    Credentials,
    Things,
    make_people,
    upload,
)
from tests.contract.test_document import api_routes, methods_of
from tests.stream.servers import running

REFUSED = frozenset({401, 403, 404})
NO_SESSION = "conv_" + "0" * 32
SESSION = "/v1/sessions/{session_id}"
NOTE = {"path": "a.py", "start_index": 0, "end_index": 1, "body": "Why?"}
JUDGED = {"event": {"type": "PHASE_REQUEST", "data": {}}}
ACCOUNT = {"token": "unknown", "username": "nadia", "password": PASSWORD}
BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/v1/hosts/{host_id}/directories"): {"path": "/srv/new"},
    ("POST", "/v1/hosts/{host_id}/runners"): {"session_id": "{session_id}", "workspace": "/srv"},
    ("POST", "/v1/login"): {"username": "nobody", "password": PASSWORD},
    ("POST", "/v1/setup"): ACCOUNT,
    ("POST", "/v1/invitations/accept"): ACCOUNT,
    ("POST", "/v1/device/token"): {"device_code": "unknown"},
    ("PUT", "/v1/password"): {"password": PASSWORD, "new_password": "another fine passphrase"},
    ("POST", "/v1/tokens"): {"name": "mine", "scopes": ["read"]},
    ("PATCH", f"{SESSION}/comments/{{comment_id}}"): {"status": "addressed"},
    ("POST", f"{SESSION}/comments"): NOTE,
    ("PUT", "/v1/sharing"): {},
    ("PUT", "/v1/projects/order"): {"sort_mode": "alphabetical"},
    ("POST", f"{SESSION}/policies"): {**CARE, "name": "mine"},
    ("POST", f"{SESSION}/events"): {"type": "interrupt"},
    ("PUT", f"{SESSION}/permissions"): {"user_id": "nobody", "level": 1},
    ("PUT", f"{SESSION}/read-state"): {"last_seen": 1, "unread": False},
    ("POST", f"{SESSION}/auto-title"): {"title": "Better"},
    ("POST", f"{SESSION}/agent-title"): {"title": "Better"},
    ("POST", f"{SESSION}/model-override/reset"): {"expected_model_override": None},
    ("POST", f"{SESSION}/comments/send"): {"comment_ids": ["{comment_id}"], "mark_addressed": False},
    ("POST", f"{SESSION}/switch-agent"): {"agent_id": "{agent_id}"},
    ("POST", f"{SESSION}/resources/files:copy"): {"source_session_id": "{source_id}", "file_ids": []},
    ("POST", f"{SESSION}/mcp"): {"method": "unknown"},
    ("POST", f"{SESSION}/policies/evaluate"): JUDGED,
    ("POST", f"{SESSION}/elicitations/{{elicitation_id}}/resolve"): {"action": "accept"},
}
"""Bodies that a route takes; elsewhere an empty object, which tells enough of who is let in."""

LAST = ("/v1/password", "/v1/logout")
"""These end logins."""


@pytest.fixture
async def process(transactional_db: None, settings: Settings) -> AsyncIterator[Process]:
    """A server where people log in, started on the test's loop."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    async with running() as process:
        yield process


def test_every_api_route_and_method_has_a_row_and_every_row_a_route() -> None:
    served = {(method.upper(), path) for path, view in api_routes() for method in methods_of(view)}
    sockets = {(row.method, re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", row.path.pattern)) for row in ROUTES}
    answered = {key for key in sockets if key[1].startswith(("/v1/", "/internal/"))}

    assert served | answered == set(TABLE)


def in_order() -> Iterable[Row]:
    """The rows, those that end logins last."""
    return sorted(TABLE.values(), key=lambda row: row.address in LAST and 1 + LAST.index(row.address))


@pytest.mark.timeout(240)
async def test_everybody_gets_what_the_table_says_and_no_refusal_tells_of_others(process: Process) -> None:
    app = Gate(Router())
    credentials = await process.pool.run(make_people)
    things = Things(app, process, credentials)
    shared = await things.prepare()
    wrong: list[str] = []

    for row in in_order():
        for who in Who:
            ids = {**shared, **(await things.make(row.address) if needs_new_things(row) else {})}
            reply = await call(app, row, credentials, who, ids)
            wrong += mistakes(row, who, reply)
            if refusal(row, who) is not None and "{session_id}" in row.address:
                unknown = await call(app, row, credentials, who, {**ids, "session_id": NO_SESSION})
                wrong += tells(row, who, reply, unknown)

    assert not wrong, "\n".join(wrong)


def needs_new_things(row: Row) -> bool:
    """What is taken away must be there again for the next caller; a copy goes down, not up; and an agent that
    somebody changes is somebody's.
    """
    return row.method in ("DELETE", "PATCH") or row.address.endswith("/files:copy")


async def call(app: Gate, row: Row, credentials: Credentials, who: Who, ids: Mapping[str, str]) -> Reply:
    """One caller at one row."""
    ids = {**ids, "name": ids["host_id"] if "/hosts/" in row.address else ids["runner_id"], "kind": "host"}
    if row.address == SESSION_POLICY:
        ids["policy_id"] = ids["session_policy_id"]
    if "/users/" in row.address:
        ids["user_id"] = NAMES[Who.STRANGER]
    path = filled(row.address, ids)
    headers = dict(credentials[who])
    if row.method == SOCKET:
        return await handshake(app, path, headers=headers)
    if row.method in SAFE:
        return await request(app, row.method, path, headers=headers)
    if row.address.endswith("/resources/files"):
        headers["Content-Type"] = "multipart/form-data; boundary=cut"
        return await request(app, row.method, path, headers=headers, body=upload("mine.txt"))
    headers["Content-Type"] = "application/gzip" if row.address.endswith("/import") else "application/json"
    body = filled(json.dumps(BODIES.get((row.method, row.address), {})), ids).encode()
    return await request(app, row.method, path, headers=headers, body=body)


def filled(text: str, ids: Mapping[str, str]) -> str:
    """A text with ids for the names in braces."""
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "unknown"), text)


def mistakes(row: Row, who: Who, reply: Reply) -> list[str]:
    """Where a reply is not what the table says, or tells a refused caller of what is not theirs."""
    wanted = refusal(row, who)
    where = f"{row.method} {row.address} as {who}"
    text = reply.content.decode(errors="replace")
    if wanted is None:
        is_let_in = reply.status not in REFUSED or row.needs is Needs.NOTHING
        return [] if is_let_in else [f"{where}: {reply.status} {text[:200]}"]
    found = [] if reply.status == wanted else [f"{where}: {reply.status} instead of {wanted} {text[:200]}"]
    # As words: an id of random digits may well spell a name.
    told = [word for word in foreign_to(who) if re.search(rf"\b{re.escape(word)}\b", text)]
    return [*found, *(f"{where} tells {word!r}: {text[:200]}" for word in told)]


def foreign_to(who: Who) -> list[str]:
    """The owner's secrets, and the names of everybody else; runner and host act in the owner's name."""
    own = NAMES.get(who, NAMES[Who.OWNER] if who in (Who.RUNNER, Who.HOST) else "")
    return [*SECRETS, *(name for name in NAMES.values() if name != own)]


def tells(row: Row, who: Who, reply: Reply, unknown: Reply) -> list[str]:
    """To whoever may not know of a session it looks like one that does not exist."""
    if refusal(row, who) != 404 or (reply.status, reply.content) == (unknown.status, unknown.content):
        return []
    return [f"{row.method} {row.address} as {who}: {reply.content!r} is not {unknown.content!r}"]

"""The new-session page: the form, and what becomes of its submission."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from sessions_app.models import Session
from sessions_app.process import Process
from sessions_app.views.creating import NewSession, read_form
from tests.dashboard import factories as make
from tests.stream.servers import running


@pytest.fixture
async def process(transactional_db: None) -> AsyncIterator[Process]:
    async with running() as process:
        yield process


async def submit(**fields: str) -> tuple[int, dict[bytes, bytes], str]:
    """Post the form to the consumer; its answer as status, headers and text."""
    sent: list[dict[str, Any]] = []
    body = [{"type": "http.request", "body": urlencode(fields).encode(), "more_body": False}]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/new",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "principal": Principal(user_id="local", is_admin=True),
    }

    async def receive() -> dict[str, Any]:
        return body.pop(0) if body else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await NewSession.as_asgi()(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    return sent[0]["status"], dict(sent[0]["headers"]), text


@pytest.mark.django_db
def test_the_form_offers_agents_with_descriptions_and_hosts(client: Client) -> None:
    make.an_agent("painter", description="Paints fences")
    make.an_agent("a session's own", is_builtin=False)
    make.a_host("studio")
    make.a_host("attic", is_online=False)

    shown = client.get("/new").content.decode()

    assert "Paints fences" in shown
    assert "own" not in shown.split("<form")[1].split("</fieldset>")[0]
    assert '<option value="auto" selected>' in shown
    assert '<option value="host-studio">studio</option>' in shown
    assert '<option value="host-attic" disabled>attic (offline)</option>' in shown


@pytest.mark.django_db
def test_agents_that_a_host_can_run_come_first_and_the_others_say_why_not(client: Client) -> None:
    make.an_agent("keyless", harness="anthropic")
    make.an_agent("foreign", harness="codex")
    make.an_agent("ready", harness="scripted")
    make.a_host(harnesses={"scripted": True, "anthropic": "needs-auth", "codex": False})

    shown = client.get("/new").content.decode()

    names = re.findall(r'class="choice__name">(\w+)<', shown)
    chosen = re.search(r" checked>.*?choice__name\">(\w+)<", shown, re.S)
    assert names == ["ready", "keyless", "foreign"]
    assert chosen is not None and chosen[1] == "ready"
    assert "Needs a key on the host" in shown
    assert "No online host can run it" in shown


@pytest.mark.django_db
def test_own_agents_stand_before_the_operators_with_version_and_setup_steps(client: Client) -> None:
    own = {"is_builtin": False, "is_reusable": True, "created_by": "local"}
    make.an_agent("helper")
    make.an_agent("painter", harness="codex", description="Paints fences", version=2, **own)
    make.an_agent("theirs", **{**own, "created_by": "somebody"})
    make.a_host(harnesses={"scripted": True})

    shown = client.get("/new").content.decode().split('id="agents"')[1].split("</fieldset>")[0]

    assert re.findall(r'class="choice__name">(\w+)<', shown) == ["painter", "helper"]
    assert "Paints fences" in shown and "version 2" in shown
    assert "No online host can run it" in shown
    assert "Install the npm package @openai/codex." in shown
    chosen = re.search(r" checked>.*?choice__name\">(\w+)<", shown, re.S)
    assert chosen is not None and chosen[1] == "helper"


@pytest.mark.django_db
@pytest.mark.parametrize(("is_online", "is_told"), [(False, True), (True, False)], ids=["offline", "online"])
def test_without_an_online_host_the_form_says_so_first(
    client: Client, is_online: bool, is_told: bool
) -> None:
    make.an_agent()
    make.a_host(is_online=is_online)

    shown = client.get("/new").content.decode()

    assert ("None of your hosts is online" in shown.split("<form")[0]) is is_told


@pytest.mark.django_db
def test_without_agents_the_page_says_what_to_do(client: Client) -> None:
    assert "No agent is registered" in client.get("/new").content.decode()


async def test_a_session_without_a_host_waits_with_its_first_message(process: Process) -> None:
    agent = await process.pool.run(make.an_agent)

    status, headers, _ = await submit(
        agent_id=agent.public_id, host_id="", title=" Later ", message="Do it\r\nwell", key="k1"
    )

    session = await process.pool.run(Session.objects.get)
    items = await process.pool.run(lambda: list(session.items.values_list("data", flat=True)))
    assert (status, headers[b"location"].decode()) == (303, f"/c/{session.public_id}")
    assert session.title == "Later"
    assert "Do it\\nwell" in items[0]


async def test_a_form_that_is_sent_twice_makes_one_session(process: Process) -> None:
    agent = await process.pool.run(make.an_agent)

    first = await submit(agent_id=agent.public_id, host_id="", key="k1")
    second = await submit(agent_id=agent.public_id, host_id="", key="k1")

    assert first[1][b"location"] == second[1][b"location"]
    assert await process.pool.run(Session.objects.count) == 1


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"host_id": "auto"}, 503, "host"),
        ({"host_id": "", "title": "x" * 201}, 422, "Title: String should have at most 200"),
        ({"agent_id": "ag_nope", "host_id": ""}, 404, "Agent not found"),
    ],
    ids=["no host online", "long title", "unknown agent"],
)
async def test_a_refusal_comes_back_in_the_form(
    process: Process, fields: dict[str, str], status: int, words: str
) -> None:
    agent = await process.pool.run(make.an_agent)

    answer = await submit(**{"agent_id": agent.public_id, "message": "Keep <this>", "key": "k1", **fields})

    assert answer[0] == status
    assert words in answer[2]
    assert "Keep &lt;this&gt;</textarea>" in answer[2]
    assert b"frame-ancestors 'none'" in answer[1][b"content-security-policy"]
    assert await process.pool.run(Session.objects.count) == 0


@pytest.mark.parametrize(
    "raw",
    [b"title=%ff", b"title=a%00b", b"\xff\xfe", b"&".join(b"x=1" for _ in range(100))],
    ids=["invalid UTF-8", "NUL", "raw bytes", "too many fields"],
)
def test_a_malformed_form_is_refused(raw: bytes) -> None:
    with pytest.raises(OmnigentError):
        read_form(raw)

"""PUT /v1/sessions/{id}/agent: new content for the agent that a session runs."""

import io
import tarfile
from typing import Any

import pytest
from django.core.files.storage import default_storage

from agents_app.models import Agent
from omnigent.spec import bundle
from tests.agents.registry import Registry, directory, single
from tests.error_shape import assert_error
from tests.factories import make_agent, make_bundled_agent, make_session
from tests.sessions.cast import LEVELS

KIMI = b"name: kimi-hello\ndescription: Says hello\nprompt: Say hello.\nexecutor:\n  harness: kimi\n"


def packed(content: bytes, mtime: int = 0, name: str = "kimi_hello.yaml") -> bytes:
    """A tar.gz as any archiver makes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.uid = len(content), mtime, mtime
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


async def test_the_life_of_an_uploaded_file(registry: Registry) -> None:
    made = await registry.uploaded(packed(KIMI))
    agent = await registry.agent(made["id"])
    assert (agent["name"], agent["harness"], agent["version"]) == ("kimi-hello", "kimi", 1)

    repacked = await registry.put(made["id"], packed(KIMI, mtime=1_700_000_000))
    assert (repacked.status_code, repacked.json()["version"]) == (200, 1)

    changed = await registry.put(made["id"], packed(KIMI.replace(b"hello.", b"good day.")))
    assert (changed.json()["version"], changed.json()["id"]) == (2, agent["id"])

    renamed = await registry.put(made["id"], packed(KIMI.replace(b"kimi-hello", b"other")))
    assert_error(renamed, 400, "invalid_input")
    assert (await registry.agent(made["id"]))["version"] == 2


async def test_a_change_is_shown_in_the_session_and_no_change_is_not(registry: Registry) -> None:
    made = await registry.uploaded(directory())

    await registry.put(made["id"], directory())
    assert "session.agent_changed" not in await registry.events(made["id"])

    await registry.put(made["id"], directory(description="Better"))
    assert (await registry.events(made["id"])).count("session.agent_changed") == 1


async def test_every_session_of_the_agent_hears_of_it(registry: Registry) -> None:
    agent_id = (await registry.kept(directory()))["id"]
    sessions = [await registry.session(agent_id) for _ in range(3)]

    await registry.put(sessions[0], directory(description="Better"))

    for session_id in sessions:
        assert "session.agent_changed" in await registry.events(session_id)
        assert (await registry.agent(session_id))["description"] == "Better"


async def test_the_agent_of_the_server_is_read_only_here(registry: Registry) -> None:
    agent = await registry.run(make_bundled_agent)
    session_id = await registry.session(agent.public_id)

    assert_error(await registry.put(session_id, single(name="helper")), 400, "invalid_input")


async def test_contents_tell_whether_variables_may_be_expanded(registry: Registry) -> None:
    builtin = await registry.session((await registry.run(make_bundled_agent)).public_id)
    uploaded = (await registry.uploaded(directory()))["id"]
    kept = await registry.session((await registry.kept(directory()))["id"])

    scoped = {
        session_id: (await registry.http.get(f"/v1/sessions/{session_id}/agent/contents")).headers[
            "x-agent-session-scoped"
        ]
        for session_id in (builtin, uploaded, kept)
    }

    assert scoped == {builtin: "false", uploaded: "true", kept: "true"}


async def test_variables_of_an_upload_stay_as_they_are(registry: Registry) -> None:
    server = b"name: notes\ntransport: http\nurl: https://example.org/mcp\nheaders: {A: '${HOME}'}\n"
    made = await registry.uploaded(directory({"tools/mcp/notes.yaml": server}))

    shown = await registry.agent(made["id"])

    assert (await registry.files(made["id"]))["tools/mcp/notes.yaml"] == server
    assert shown["mcp_servers"][0]["headers"] == {"A": "[REDACTED]"}
    assert "HOME" not in str(shown)


@pytest.mark.parametrize(
    ("who", "get", "put"),
    [
        ("stranger", 404, 404),
        ("reader", 200, 403),
        ("editor", 200, 403),
        ("manager", 200, 403),
        ("owner", 200, 200),
    ],
    ids=lambda value: str(value),
)
async def test_who_may_change_it(olga: Registry, sven: Registry, who: str, get: int, put: int) -> None:
    made = await olga.uploaded(directory())
    caller = olga if who == "owner" else sven
    if who in LEVELS:
        grant = {"user_id": "sven@example.org", "level": LEVELS[who]}
        await olga.http.put(f"/v1/sessions/{made['id']}/permissions", json=grant)

    read = await caller.http.get(f"/v1/sessions/{made['id']}/agent")
    written = await caller.put(made["id"], directory(description="Better"))

    assert (read.status_code, written.status_code) == (get, put)
    if put == 404:
        assert_error(written, 404, "not_found", "Session not found")


async def test_the_owner_of_a_session_may_not_change_somebody_elses_agent(
    olga: Registry, sven: Registry
) -> None:
    def build() -> str:
        agent = make_agent("mine", is_builtin=False, created_by="olga@example.org")
        return str(make_session(agent, owner="sven@example.org").public_id)

    session_id = await olga.run(build)

    assert_error(await sven.put(session_id, directory()), 403, "forbidden")
    assert_error(await olga.put(session_id, directory()), 404, "not_found")


async def test_whoever_may_not_change_it_is_not_told_what_is_wrong_with_a_body(
    olga: Registry, sven: Registry
) -> None:
    made = await olga.uploaded(directory())

    answer = await sven.http.put(f"/v1/sessions/{made['id']}/agent", json={})

    assert_error(answer, 404, "not_found", "Session not found")


def link(name: str, kind: bytes) -> dict[str, Any]:
    return {"name": name, "type": kind, "linkname": "config.yaml"}


@pytest.mark.parametrize(
    "member",
    [
        pytest.param({"name": "../x"}, id="parent path"),
        pytest.param({"name": "/etc/x"}, id="absolute path"),
        pytest.param(link("a", tarfile.SYMTYPE), id="symlink"),
        pytest.param(link("a", tarfile.LNKTYPE), id="hard link"),
        pytest.param({"name": "a", "type": tarfile.FIFOTYPE}, id="fifo"),
    ],
)
async def test_a_hostile_archive_changes_nothing(registry: Registry, member: dict[str, Any]) -> None:
    made = await registry.uploaded(directory())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo()
        for key, value in member.items():
            setattr(info, key, value)
        tar.addfile(info)
    before = set(default_storage.listdir("bundles")[0])

    assert_error(await registry.put(made["id"], buffer.getvalue()), 400, "invalid_input")

    assert (await registry.agent(made["id"]))["version"] == 1
    assert set(default_storage.listdir("bundles")[0]) == before


async def test_too_many_entries_are_refused(registry: Registry) -> None:
    made = await registry.uploaded(directory())
    files = {f"skills/s{number}/note": b"" for number in range(10_001)}

    assert_error(await registry.put(made["id"], directory(files)), 400, "invalid_input")


async def test_an_archive_that_grows_without_end_is_refused(registry: Registry) -> None:
    made = await registry.uploaded(directory())
    zeros = bundle.pack({"config.yaml": b"", "zeros": b"\0" * 60_000_000})

    assert_error(await registry.put(made["id"], zeros), 400, "invalid_input")


async def test_a_repeated_change_is_answered_as_before(registry: Registry) -> None:
    made = await registry.uploaded(directory())
    key = {"Idempotency-Key": "k"}
    first = await registry.put(made["id"], directory(description="Better"), **key)
    await registry.put(made["id"], directory(description="Best"))

    again = await registry.put(made["id"], directory(description="Better"), **key)

    assert again.content == first.content
    assert (await registry.agent(made["id"]))["description"] == "Best"


async def test_a_fork_of_somebody_elses_session_has_a_copy_of_the_agent(
    olga: Registry, sven: Registry
) -> None:
    made = await olga.uploaded(directory())
    grant = {"user_id": "sven@example.org", "level": 1}
    await olga.http.put(f"/v1/sessions/{made['id']}/permissions", json=grant)

    forked = (await sven.http.post(f"/v1/sessions/{made['id']}/fork", json={})).json()
    await sven.put(forked["id"], directory(description="Sven's"))

    assert (await sven.agent(forked["id"]))["description"] == "Sven's"
    assert (await olga.agent(made["id"]))["description"] == "A helper"
    assert await olga.run(Agent.objects.count) == 2

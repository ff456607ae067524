"""GET /v1/skills of a directory of a host."""

from dataclasses import replace
from typing import Any

import pytest

from omnigent.protocol import host_frames
from tests.error_shape import assert_error
from tests.factories import make_host
from tests.inputs.rig import Rig
from tests.sessions.fake_host import HOST, FakeHost

TRIAGE = {"name": "triage", "description": "Sort them."}


def telling(host: FakeHost, **fields: Any) -> None:
    """Let the host answer so."""
    result = host_frames.SkillsResult(request_id="", **{"status": "ok", **fields})
    host.handlers[host_frames.Skills] = lambda ask: replace(result, request_id=ask.request_id)


async def test_a_host_tells_what_a_session_in_a_directory_would_find(rig: Rig, host: FakeHost) -> None:
    telling(host, skills=(TRIAGE, {"description": "nameless"}))

    answer = await rig.http.get("/v1/skills", params={"host_id": HOST, "harness": "codex", "path": "/repo"})

    assert answer.json() == {"object": "list", "data": [{**TRIAGE, "display_name": None}]}
    [ask] = host.asked_for(host_frames.Skills)
    assert (ask.harness, ask.path, ask.session_id) == ("codex", "/repo", None)


async def test_without_a_directory_it_is_the_home_directory(rig: Rig, host: FakeHost) -> None:
    telling(host)

    assert (await rig.http.get("/v1/skills", params={"host_id": HOST})).json()["data"] == []
    assert host.asked_for(host_frames.Skills)[0].path == "~"


async def test_a_host_that_cannot_tell_says_why(rig: Rig, host: FakeHost) -> None:
    telling(host, status="failed", error="the path is outside")

    answer = await rig.http.get("/v1/skills", params={"host_id": HOST, "path": "/etc"})

    assert_error(answer, 502, "internal_error")
    assert "the path is outside" in answer.text


@pytest.mark.parametrize(
    ("owner", "status", "code"), [("local", 503, "host_offline"), ("somebody", 404, "not_found")]
)
async def test_only_a_host_of_ones_own_that_is_there_is_asked(
    rig: Rig, owner: str, status: int, code: str
) -> None:
    away = await rig.process.pool.run(make_host, owner=owner, online=False)

    answer = await rig.http.get("/v1/skills", params={"host_id": away.public_id})

    assert_error(answer, status, code)
    assert_error(await rig.http.get("/v1/skills?host_id=unknown"), 404, "not_found")

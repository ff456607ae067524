"""Tools of the runner against the whole server: files, comments, search, the agent itself."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent.ids import runner_id_for
from omnigent.runner.tools import comments, conversations, stored_files
from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.spec.types import AgentSpec, BuiltinTool, OsEnv, Sandbox
from sessions_app.models import Session
from sessions_app.process import Process
from tests.factories import make_bundled_agent
from tests.runner.tool_rig import tool_context
from tests.sessions.uploading import new_session

DECLARED = ("upload_file", "download_file", "list_files", "search_conversations", "export_agent")
SPEC = AgentSpec(
    name="a",
    os_env=OsEnv(sandbox=Sandbox(type="none")),
    builtin_tools=tuple(BuiltinTool(name=name) for name in DECLARED),
)
TOOLS = {**comments.granted(SPEC), **stored_files.granted(SPEC), **conversations.granted(SPEC)}
RUNNER = runner_id_for("binding")
LOST = "file_" + "0" * 32


@pytest.fixture
async def session(process: Process) -> Session:
    agent = await process.pool.run(make_bundled_agent)
    return await new_session(process, agent=agent, runner_id=RUNNER, title="Apples and pears")


@pytest.fixture
async def context(http: httpx.AsyncClient, session: Session, tmp_path: Path) -> ToolContext:
    """A runner's tools, whose calls reach the server of this process."""

    async def forward(request: httpx.Request) -> httpx.Response:
        headers = {key: value for key, value in request.headers.items() if key != "host"}
        path = request.url.raw_path.decode()
        answer = await http.request(request.method, path, headers=headers, content=request.content)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    made = tool_context(tmp_path, forward, spec=SPEC, session_id=session.public_id)
    made.reaper.close()
    return made


async def run(context: ToolContext, tool: str, **arguments: Any) -> Mapping[str, Any]:
    answer = json.loads(await TOOLS[tool].run(arguments, context))
    assert isinstance(answer, dict)
    return answer


def test_only_what_is_declared_is_offered() -> None:
    bare = AgentSpec(name="a")
    assert set(TOOLS) == {*DECLARED, "list_comments", "update_comment"}
    assert stored_files.granted(bare) == {}
    assert conversations.granted(bare) == {}
    assert set(comments.granted(bare)) == {"list_comments", "update_comment"}


async def test_a_file_goes_to_the_server_and_comes_back(context: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.txt").write_text("figures")

    kept = await run(context, "upload_file", path="out/report.txt")
    named = await run(context, "upload_file", path="out/report.txt", filename="other.txt")

    assert (kept["filename"], kept["bytes"]) == ("report.txt", 7)
    first = await run(context, "list_files", limit=1)
    assert [row["file_id"] for row in first["files"]] == [named["file_id"]]
    rest = await run(context, "list_files", cursor=first["next_cursor"])
    assert ([row["file_id"] for row in rest["files"]], rest["next_cursor"]) == ([kept["file_id"]], None)
    saved = await run(context, "download_file", file_id=kept["file_id"], path="new/place.txt")
    assert (saved["path"], saved["bytes"]) == ("new/place.txt", 7)
    assert (tmp_path / "new/place.txt").read_text() == "figures"
    assert (await run(context, "download_file", file_id=named["file_id"]))["path"] == "other.txt"


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("upload_file", {"path": "../secret"}, "outside the workspace"),
        ("upload_file", {"path": "link"}, "outside the workspace"),
        ("upload_file", {"path": "/etc/passwd"}, "outside the workspace"),
        ("upload_file", {"path": "nothing"}, "No such file"),
        ("upload_file", {"path": "."}, "s a directory"),
        ("upload_file", {"path": "pipe"}, "not a regular file"),
        ("upload_file", {}, "path: a string"),
        ("download_file", {"file_id": LOST}, "HTTP 404"),
        ("download_file", {"file_id": "../items"}, "HTTP 404"),
        ("download_file", {"file_id": LOST, "path": "../x"}, "outside the workspace"),
        ("download_file", {"file_id": LOST, "path": "link"}, "outside the workspace"),
        ("download_file", {}, "file_id: a string"),
        ("list_files", {"limit": 0}, "limit: must be from 1 to 100"),
        ("list_files", {"cursor": LOST}, "HTTP 400"),
        ("update_comment", {"comment_id": "nope", "status": "addressed"}, "HTTP 404: Comment not found"),
        ("update_comment", {"comment_id": "nope", "status": "done"}, "draft, addressed"),
        ("list_comments", {"status": "done"}, "draft, addressed"),
        ("search_conversations", {"query": " "}, "a text to look for"),
        ("export_agent", {"dest": "../x"}, "outside the workspace"),
        ("export_agent", {"dest": "link"}, "outside the workspace"),
        ("export_agent", {"dest": "full"}, "there already"),
        ("export_agent", {"format": "zip"}, "files, archive"),
    ],
)
async def test_each_refusal_says_what_is_wrong(
    context: ToolContext, tmp_path: Path, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("secret")
    (tmp_path / "link").symlink_to(outside)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/kept").write_text("kept")
    before = sorted(path.name for path in tmp_path.rglob("*"))

    with pytest.raises(ToolError, match=reason):
        await run(context, tool, **arguments)

    assert outside.read_text() == "secret"
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


async def test_an_agent_without_files_neither_reads_nor_writes_them(tmp_path: Path) -> None:
    context = tool_context(tmp_path, spec=AgentSpec(name="bare"))
    for tool, arguments in (
        ("upload_file", {"path": "a"}),
        ("download_file", {"file_id": LOST}),
        ("export_agent", {}),
    ):
        with pytest.raises(ToolError, match="no access to files"):
            await run(context, tool, **arguments)
    context.reaper.close()


async def test_the_servers_limit_is_told(context: ToolContext, tmp_path: Path, settings: Any) -> None:
    settings.OMNIGENT_UPLOAD_LIMIT = 2 * 2**20
    (tmp_path / "big").write_bytes(b"x" * 3 * 2**20)

    with pytest.raises(ToolError, match=r"HTTP 413: .*2 MB limit"):
        await run(context, "upload_file", path="big")


async def test_comments_are_listed_and_settled(
    context: ToolContext, http: httpx.AsyncClient, session: Session
) -> None:
    url = f"/v1/sessions/{session.public_id}/comments"
    for path in ("a.py", "b.py"):
        body = {"path": path, "start_index": 1, "end_index": 4, "body": f"fix {path}"}
        assert (await http.post(url, json=body)).status_code == 200

    found = (await run(context, "list_comments"))["comments"]
    assert [row["body"] for row in found] == ["fix a.py", "fix b.py"]
    settled = await run(context, "update_comment", comment_id=found[0]["id"], status="addressed")
    assert (settled["id"], settled["status"]) == (found[0]["id"], "addressed")
    drafts = (await run(context, "list_comments", status="draft"))["comments"]
    assert [row["path"] for row in drafts] == ["b.py"]
    assert (await run(context, "list_comments", path="a.py"))["comments"][0]["status"] == "addressed"
    assert (await run(context, "list_comments", path="c.py"))["comments"] == []


async def test_conversations_that_the_runner_may_see_are_found_by_their_text(
    context: ToolContext, process: Process, session: Session
) -> None:
    other = await new_session(process, runner_id=RUNNER, title="More pears")
    await new_session(process, runner_id=RUNNER, title="Nothing of the kind")
    await new_session(process, runner_id=runner_id_for("another"), title="Pears of somebody else")

    first = await run(context, "search_conversations", query="PEARS", limit=1)
    rest = await run(context, "search_conversations", query="PEARS", cursor=first["next_cursor"])

    found = [*first["conversations"], *rest["conversations"]]
    assert {row["id"] for row in found} == {session.public_id, other.public_id}
    assert len(found) == 2
    assert {"title", "updated_at"} <= found[0].keys()
    assert (rest["next_cursor"], rest["partial"]) == (None, False)


async def test_the_agent_is_exported_as_files_or_as_an_archive(context: ToolContext, tmp_path: Path) -> None:
    exported = await run(context, "export_agent")
    packed = await run(context, "export_agent", format="archive", dest="out/a.tar.gz")

    assert exported["path"] == "agent"
    assert exported["files"] == sorted(
        str(path.relative_to(tmp_path / "agent"))
        for path in (tmp_path / "agent").rglob("*")
        if path.is_file()
    )
    assert exported["files"] == ["helper.yaml"]
    assert packed == {"path": "out/a.tar.gz", "bytes": (tmp_path / "out/a.tar.gz").stat().st_size}
    assert (tmp_path / "out/a.tar.gz").read_bytes()[:2] == b"\x1f\x8b"

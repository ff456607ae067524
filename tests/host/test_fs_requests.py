"""What the server sees of a workspace through the host, while there is no runner."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from tests.host.doubles import Tunnel, TunnelServer, running_host
from tests.workspace.rig import git, repository


async def look(tunnel: Tunnel, workspace: Path | str, op: str, **params: Any) -> dict[str, Any]:
    return await tunnel.ask(
        "host.fs_request", op=op, workspace=str(workspace), session_id="conv_1", params=params
    )


def payload(result: dict[str, Any]) -> dict[str, Any]:
    assert (result["status"], result["error_status"], result["error"]) == ("ok", None, None), result
    answer: dict[str, Any] = result["payload"]
    return answer


def refusal(result: dict[str, Any]) -> tuple[int, str]:
    assert result["status"] == "error" and result["error"] and result["payload"] is None
    return result["error_status"], result["error_code"]


async def test_a_workspace_is_looked_at_as_its_runner_would(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    repository(workspace, **{"a b": "old\n", "sub__needle.txt": "x\n"})
    (workspace / "a b").write_text("new\n")
    (workspace / "raw").write_bytes(b"\xff\x00")

    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        page = payload(
            await look(tunnel, workspace, "list_or_read", path="", limit=2, order="asc", after=".git")
        )
        file = payload(await look(tunnel, workspace, "list_or_read", path="raw"))
        found = payload(await look(tunnel, workspace, "search", q="needle", include="*.txt", limit=5))
        lines = payload(await look(tunnel, workspace, "search", q="new", mode="content"))
        changes = payload(await look(tunnel, workspace, "changes"))
        diff = payload(await look(tunnel, workspace, "diff", path="a b"))

    assert ([row["path"] for row in page["data"]], page["has_more"]) == (["a b", "raw"], True)
    assert page["base"] == str(workspace.resolve())
    assert (file["encoding"], base64.b64decode(file["content"])) == ("base64", b"\xff\x00")
    assert [row["path"] for row in found["data"]] == ["sub/needle.txt"]
    assert [row["id"] for row in lines["data"]] == ["a b:1"]
    assert {row["path"]: row["status"] for row in changes["data"]} == {"a b": "modified", "raw": "created"}
    assert (diff["before"], diff["after"]) == ("old\n", "new\n")


async def test_what_cannot_be_answered_says_why(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    (workspace / "link").symlink_to("/etc")
    os.mkfifo(workspace / "pipe")

    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        asked = [
            (await look(tunnel, workspace, "list_or_read", path="gone"), (404, "not_found")),
            (await look(tunnel, workspace, "list_or_read", path="../x"), (400, "invalid_input")),
            (await look(tunnel, workspace, "list_or_read", path="link/passwd"), (400, "invalid_input")),
            (await look(tunnel, workspace, "list_or_read", path="pipe"), (400, "invalid_input")),
            (await look(tunnel, workspace, "list_or_read", path=7), (400, "invalid_input")),
            (await look(tunnel, workspace, "list_or_read", after="gone"), (400, "stale_cursor")),
            (await look(tunnel, workspace, "search", q=" "), (422, "invalid_input")),
            (await look(tunnel, workspace, "diff", path="pipe"), (400, "invalid_input")),
            (await look(tunnel, workspace, "diff", path="gone"), (404, "not_found")),
            (await look(tunnel, workspace, "write", path="a", content="x"), (501, "unsupported")),
            (await look(tunnel, workspace, "github_info"), (501, "unsupported")),
            (await look(tunnel, workspace / "gone", "changes"), (404, "not_found")),
            (await look(tunnel, "relative", "changes"), (400, "invalid_input")),
        ]

    assert [refusal(result) for result, _ in asked] == [expected for _, expected in asked]
    assert "a" not in os.listdir(workspace)


async def test_without_a_repository_nothing_has_changed(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    (workspace / "a").write_text("a")

    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        assert payload(await look(tunnel, workspace, "changes"))["data"] == []
        assert refusal(await look(tunnel, workspace, "diff", path="a")) == (404, "not_found")


@pytest.mark.parametrize("kind", ["plain", "link", "way"])
async def test_only_the_allowed_roots_are_looked_at(
    server: TunnelServer, data_dir: Path, tmp_path: Path, kind: str
) -> None:
    allowed, private = tmp_path / "allowed", tmp_path / "private"
    for directory in (allowed, private):
        directory.mkdir()
        (directory / "file").write_text(directory.name)
    (allowed / "link").symlink_to(private)
    named = {"plain": private, "link": allowed / "link", "way": allowed / ".." / "private"}[kind]

    options = {"roots": [str(allowed)], "workspace_root": str(tmp_path / "own")}
    async with running_host(server, data_dir, options=options):
        tunnel = await server.next_tunnel()
        shown = payload(await look(tunnel, allowed, "list_or_read", path="file"))
        assert shown["content"] == "allowed"
        for op in ("list_or_read", "changes", "search", "diff"):
            assert refusal(await look(tunnel, named, op, path="file", q="f")) == (400, "invalid_input")
        assert refusal(await look(tunnel, allowed, "list_or_read", path="link/file")) == (
            400,
            "invalid_input",
        )


async def test_a_repository_outside_of_the_workspace_does_not_run_its_programs(
    server: TunnelServer, data_dir: Path, workspace: Path, tmp_path: Path
) -> None:
    repository(workspace, sub__a="a\n")
    git(workspace, "config", "core.fsmonitor", f"touch {tmp_path}/sprung; false")
    git(workspace, "config", "filter.x.clean", f"touch {tmp_path}/sprung; cat")
    (workspace / ".gitattributes").write_text("* filter=x\n")
    (workspace / "sub" / "a").write_text("b\n")
    (tmp_path / "sprung").unlink(missing_ok=True)

    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        changes = payload(await look(tunnel, workspace / "sub", "changes"))

    assert [(row["path"], row["status"]) for row in changes["data"]] == [("a", "modified")]
    assert not (tmp_path / "sprung").exists()

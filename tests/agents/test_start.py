"""`python -m omnigent.server --agent PATH`: agents that the operator names must be good."""

from pathlib import Path

import httpx
import pytest

from omnigent.spec import bundle
from tests.api_plumbing.test_server_command import refused, running

DOCUMENT = "name: {name}\nprompt: {prompt}\nexecutor:\n  harness: scripted\n"
CONFIG = b"spec_version: 1\nname: in-a-directory\nexecutor: {type: claude_sdk}\n"
POLICY = "policies:\n  p: {type: function, handler: nowhere.at_all}\n"


def agents(url: str) -> dict[str, dict[str, object]]:
    """What the server lists, by name."""
    rows = httpx.get(f"{url}/v1/agents", params={"limit": 1000}, timeout=30).json()["data"]
    return {row["name"]: row for row in rows}


@pytest.mark.timeout(120)
def test_files_directories_and_archives_are_offered(tmp_path: Path) -> None:
    file, directory, archive = tmp_path / "one.yaml", tmp_path / "two", tmp_path / "three.tar.gz"
    file.write_text(DOCUMENT.format(name="in-a-file", prompt="Help."))
    directory.mkdir()
    (directory / "config.yaml").write_bytes(CONFIG)
    packed = {"three.yaml": DOCUMENT.format(name="in-an-archive", prompt="Help.").encode()}
    archive.write_bytes(bundle.pack(packed))
    options = [part for path in (file, directory, archive) for part in ("--agent", str(path))]
    (tmp_path / "data").mkdir()

    with running(tmp_path / "data", *options) as (_, url):
        listed = agents(url)
    file.write_text(DOCUMENT.format(name="in-a-file", prompt="Help more."))
    with running(tmp_path / "data", *options) as (_, url):
        again = agents(url)

    assert {"in-a-file", "in-a-directory", "in-an-archive", "scripted", "claude-native-ui"} <= set(listed)
    assert listed["in-a-directory"]["harness"] == "claude_sdk"
    assert (again["in-a-file"]["id"], again["in-a-file"]["version"]) == (listed["in-a-file"]["id"], 2)
    assert again["in-an-archive"] == listed["in-an-archive"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("name: [", "invalid agent bundle"),
        (DOCUMENT.format(name="ui", prompt="Help."), "name: "),
        (DOCUMENT.format(name="a", prompt="Help.") + POLICY, "policies.p: "),
    ],
    ids=["missing", "no YAML", "bad name", "unknown policy handler"],
)
def test_a_bad_one_stops_the_start(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "agent.yaml"
    if content is not None:
        path.write_text(content)

    message = refused(tmp_path, "--migrate", "--agent", str(path))

    assert f"--agent cannot be used: {path}: " in message
    assert reason in message

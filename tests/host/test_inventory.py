"""The skills and credentials that a host tells of."""

from pathlib import Path

import pytest

from tests.host.doubles import TunnelServer, running_host


def add_skill(root: Path, name: str, description: str, *, extra: str = "") -> None:
    folder = root / ".claude" / "skills" / name
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(
        f"---\nname: {name}\ndescription: {description}\n{extra}---\nDo it as {root.name} says.\n"
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


async def test_a_directorys_skills_come_before_the_users(
    server: TunnelServer, data_dir: Path, workspace: Path, home: Path
) -> None:
    add_skill(home, "review", "The user's way.")
    add_skill(home, "deploy", "To the world.")
    add_skill(workspace, "review", "The project's way.")
    add_skill(workspace, "hidden", "For the model.", extra="user-invocable: false\n")
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        answer = await tunnel.ask("host.skills", harness="claude-sdk", path=str(workspace))

    assert answer["status"] == "ok"
    assert answer["skills"] == [
        {"name": "review", "description": "The project's way."},
        {"name": "deploy", "description": "To the world."},
    ]
    assert "skill_content" in tunnel.hello["capabilities"]


async def test_a_sessions_skills_are_its_runners_affair(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        answer = await tunnel.ask(
            "host.skills", harness="scripted", path=str(workspace), session_id="conv_1", agent_id="ag_1"
        )

    assert (answer["status"], answer["skills"]) == ("failed", [])


async def test_a_skill_of_the_users_can_be_read(server: TunnelServer, data_dir: Path, home: Path) -> None:
    add_skill(home, "review", "The user's way.")
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        found = await tunnel.ask("host.skill_content", harness="codex", name="review")
        missing = await tunnel.ask("host.skill_content", harness="codex", name="../review")
        plugin = await tunnel.ask("host.skill_content", harness="codex", name="review", source_id="p1")

    assert found["skill"] == {
        "name": "review",
        "description": "The user's way.",
        "content": "Do it as home says.",
        "truncated": False,
    }
    assert (missing["status"], missing["skill"]) == ("failed", None)
    assert plugin["status"] == "failed"


async def test_roots_that_leave_the_home_directory_out_leave_its_skills_out(
    server: TunnelServer, data_dir: Path, workspace: Path, home: Path
) -> None:
    add_skill(home, "review", "The user's way.")
    options = {"roots": (str(workspace),), "workspace_root": str(workspace)}
    async with running_host(server, data_dir, options=options):
        tunnel = await server.next_tunnel()
        inside = await tunnel.ask("host.skills", harness="codex", path=str(workspace))
        outside = await tunnel.ask("host.skills", harness="codex", path=str(home))
        content = await tunnel.ask("host.skill_content", harness="codex", name="review")

    assert (inside["status"], inside["skills"]) == ("ok", [])
    assert outside["status"] == "failed"
    assert content["status"] == "failed"


async def test_credentials_are_named_and_never_shown(
    server: TunnelServer, data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "auth.json").write_text("canary-one")
    environ = {"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "canary-two"}
    async with running_host(server, data_dir, environ=environ):
        tunnel = await server.next_tunnel()
        answer = await tunnel.ask("host.detect_credentials")

    assert answer["status"] == "ok"
    assert answer["credentials"] == [
        {"family": "anthropic", "source": "environment", "env_var": "ANTHROPIC_API_KEY"},
        {"family": "openai", "source": "~/.codex/auth.json", "env_var": None},
    ]

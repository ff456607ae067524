"""What Codex is started with, and what keeps it from being started."""

from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.codex.launch import Launch, prepare
from omnigent.runner.harnesses.engine import EngineSettings
from omnigent.runner.harnesses.rows import HARNESSES


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which a program of that name is found."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "codex").write_text("#!/bin/sh\n")
    (programs / "codex").chmod(0o755)
    return {"PATH": str(programs), "HOME": str(tmp_path)}


def launched(tmp_path: Path, environment: dict[str, str], **values: Any) -> Launch:
    settings = EngineSettings(
        session_id="conv_1",
        state_dir=tmp_path / "state",
        workspace=tmp_path,
        environment=environment,
        **{"own_tools": True, **values},
    )
    return prepare(settings, silence_seconds=9)


def log_in(home: Path) -> Path:
    file = home / ".codex" / "auth.json"
    file.parent.mkdir()
    file.write_text("{}")
    return file


def test_without_a_key_and_a_login_it_is_not_configured(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(ModelError) as caught:
        launched(tmp_path, environment)

    assert caught.value.code == "harness_not_configured"
    lack = HARNESSES["codex"].lack(environment)
    assert lack is not None
    assert lack.state == "needs-auth"


def test_a_login_stands_in_for_a_key(tmp_path: Path, environment: dict[str, str]) -> None:
    login = log_in(tmp_path)

    launch = launched(tmp_path, environment)

    assert (launch.home / "auth.json").resolve() == login
    assert 'model_provider = "openai"' in (launch.home / "config.toml").read_text()
    assert HARNESSES["codex"].lack(environment) is None


def test_a_key_wins_over_a_login(tmp_path: Path, environment: dict[str, str]) -> None:
    log_in(tmp_path)
    launched(tmp_path, environment)

    launch = launched(tmp_path, environment, api_key="sk-secret")

    assert not (launch.home / "auth.json").exists()
    text = (launch.home / "config.toml").read_text()
    assert 'model_provider = "omnigent"' in text
    assert "sk-secret" not in text
    assert "sk-secret" not in " ".join(launch.command)


@pytest.mark.parametrize(
    ("config", "own_tools", "is_confined"),
    [
        ({}, True, True),
        ({"yolo": "true"}, True, False),
        ({"yolo": "false"}, True, True),
        ({"sandbox": "none"}, True, False),
        ({"sandbox": "read-only"}, True, True),
        ({"yolo": "true"}, False, True),
    ],
    ids=["default", "yolo", "no-yolo", "none", "read-only", "no-tools"],
)
def test_only_an_agent_that_says_so_leaves_the_sandbox(
    tmp_path: Path, environment: dict[str, str], config: dict[str, str], own_tools: bool, is_confined: bool
) -> None:
    launch = launched(tmp_path, environment, api_key="k", config=config, own_tools=own_tools)

    assert launch.is_confined is is_confined

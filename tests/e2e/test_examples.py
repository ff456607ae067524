"""The example agents run by their one command, on a scripted model and the real rest."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from examples.run import INTERRUPTED
from tests.e2e.program import ROOT, python, wait_for
from tests.e2e.stack import base_environ
from tests.services.processes import private_directory

pytestmark = [pytest.mark.e2e, pytest.mark.sandbox, pytest.mark.timeout(180)]


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """The environment of somebody without keys, whose temporary files can be looked through."""
    with private_directory("examples") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        (directory / "tmp").mkdir()
        yield base_environ(directory, {"TMPDIR": str(directory / "tmp")})


def run(environ: dict[str, str], *arguments: str, expected: int = 0) -> str:
    """What the command prints."""
    ran = subprocess.run(
        python("-m", "examples.run", *arguments),
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert ran.returncode == expected, f"{ran.stdout}\n{ran.stderr}"
    assert os.listdir(environ["TMPDIR"]) == []
    return ran.stdout


def test_the_coding_helper_writes_runs_and_loads_its_skill(environ: dict[str, str]) -> None:
    printed = run(environ, "coding-helper")

    assert printed.startswith(
        "A scripted model answers (no key: set ANTHROPIC_API_KEY where the host runs.).\n"
    )
    assert "[output] hello from a file\n" in printed
    assert "[output] [The skill review-change. Its files, for read_skill_file: checklist.md.]" in printed
    assert "The tools answered:\nCreated hello.py" in printed


def test_the_mcp_user_calls_its_server_and_only_the_tools_it_is_allowed(environ: dict[str, str]) -> None:
    message = (
        'Call notes__add with {"text": "The bus leaves at 8:15"}\n'
        'Call notes__search with {"text": "BUS"}\nCall notes__forget with {}'
    )

    printed = run(environ, "mcp-user", message)

    assert "[output] noted: The bus leaves at 8:15\n" in printed
    assert "[output] The bus leaves at 8:15\n" in printed
    assert "unknown tool 'notes__forget'" in printed


def test_the_governed_agent_is_denied_what_cannot_be_undone(environ: dict[str, str]) -> None:
    printed = run(environ, "governed")

    assert "[output] Denied by policy: This command rewrites or deletes what others have" in printed
    assert "[output] allowed\n" in printed
    assert "[approve?]" not in printed


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_governed_agent_asks_in_production(environ: dict[str, str], answer: str) -> None:
    message = "Run the shell command: echo in production"

    printed = run(environ, "governed", message, "--label", "env=prod", "--approve", answer)

    assert re.search(r"^\[approve\?\] .*echo in production", printed, re.MULTILINE)
    assert ("[output] in production\n" in printed) == (answer == "yes")


def test_the_list_says_what_a_real_model_needs(environ: dict[str, str]) -> None:
    printed = run(environ, "--list")

    assert "mcp-user: Keeps notes by means of an MCP server.\n" in printed
    assert "    for a real model: set OPENAI_API_KEY where the host runs.\n" in printed


def test_ctrl_c_ends_everything(environ: dict[str, str]) -> None:
    command = python("-m", "examples.run", "coding-helper", "Run the shell command: sleep 300")
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("[call] sys_os_shell"))
        below = wait_for(lambda: sleeping(process.pid), seconds=30, what="the agent's command")

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == INTERRUPTED
        wait_for(lambda: not any(one.is_running() for one in below), seconds=30, what="all ended")
    assert list(Path(environ["TMPDIR"]).iterdir()) == []


def sleeping(pid: int) -> list[psutil.Process]:
    """Every process below, once the agent's command is among them."""
    below = psutil.Process(pid).children(recursive=True)
    return below if any(one.name() == "sleep" for one in below) else []

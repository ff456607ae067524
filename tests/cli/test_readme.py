"""The shell examples of the client's README run as they stand, against a live server."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from omnigent_client.cli.exits import MEANINGS
from tests.cli.commands import Shell
from tests.e2e.stack import Stack

README = (Path(__file__).parents[2] / "omnigent_client/README.md").read_text()
EXAMPLES = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ADDRESS = "http://localhost:6767"


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_the_shell_examples_run_from_top_to_bottom(shell: Shell, live_stack: Stack) -> None:
    directory = shell.home / "bin"
    directory.mkdir()
    program = directory / "omnigent"
    program.write_text(f'#!/bin/sh\nexec {" ".join(shell.command())} "$@"\n')
    program.chmod(0o755)
    environ = {**shell.environ, "PATH": f"{directory}{os.pathsep}{shell.environ['PATH']}"}

    done = subprocess.run(
        ["sh", "-eu", "-c", "".join(EXAMPLES).replace(ADDRESS, live_stack.url)],
        cwd=shell.home,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert EXAMPLES
    assert done.stdout.startswith("1 2 3")
    assert "1 2 3 4" in done.stdout
    assert "title     From a shell" in done.stdout
    assert (shell.home / "session.tar.gz").stat().st_size > 100


def test_the_readme_and_the_help_name_the_same_exit_codes() -> None:
    [line] = re.findall(r"^- Exit codes: (.*)$", README, re.MULTILINE)

    assert re.findall(r"\d+", MEANINGS) == re.findall(r"\d+", line)

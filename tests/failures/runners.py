"""The runner process behind a session, and what it logs."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from omnigent.ids import runner_id_for
from tests.e2e.program import Program, processes_at_home, python, runs
from tests.e2e.stack import Stack, base_environ


def runner_of(stack: Stack, session_id: str) -> psutil.Process:
    """The living process of the runner that the session is bound to."""
    runner_id = stack.api.snapshot(session_id)["runner_id"]
    found = [
        process
        for process in processes_at_home(stack.home)
        if runs(process, "omnigent.runner") and process.environ().get("OMNIGENT_RUNNER_ID") == runner_id
    ]
    assert len(found) == 1, f"{len(found)} processes of {runner_id}"
    return found[0]


def runner_log(stack: Stack, runner_id: str) -> Path:
    """Where its host writes what a runner prints."""
    [path] = stack.home.glob(f"**/{runner_id}.log")
    return path


@dataclass(frozen=True, kw_only=True)
class HandRunner:
    """A runner process that no host has launched, so nobody stops it."""

    runner_id: str
    workspace: Path
    program: Program


@contextmanager
def runner_by_hand(stack: Stack, name: str) -> Iterator[HandRunner]:
    """One that is online, with a token and a directory of its own."""
    token = secrets.token_urlsafe(32)
    workspace = stack.directory / f"{name}-{token[:8]}"
    workspace.mkdir()
    program = Program(
        name,
        python("-m", "omnigent.runner", "--server", stack.tunnels.url, "--workspace", str(workspace)),
        environ=base_environ(stack.directory, {"OMNIGENT_RUNNER_TOKEN": token}),
        directory=stack.directory,
    )
    runner = HandRunner(runner_id=runner_id_for(token), workspace=workspace, program=program)
    program.start()
    try:
        stack.wait_runner(runner.runner_id)
        yield runner
    finally:
        program.kill()

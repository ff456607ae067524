"""`make run` as a newcomer uses it: one command, one answer, nothing left behind."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.api import Api, texts
from tests.e2e.program import Program, describe, processes_at_home, runs, wait_for
from tests.e2e.stack import base_environ, is_healthy
from tests.e2e.stream import Stream
from tests.services.processes import free_port

pytestmark = pytest.mark.e2e


@contextmanager
def made(directory: Path) -> Iterator[tuple[Program, str]]:
    """`make run` with its own data directory and port."""
    port = free_port()
    home = {"PORT": str(port), "DATA_DIR": str(directory / "data"), "VENV": os.environ.get("VENV", ".venv")}
    make = shutil.which("make")
    assert make is not None
    program = Program("make", [make, "run"], environ=base_environ(directory, home), directory=directory)
    program.start()
    try:
        yield program, f"http://127.0.0.1:{port}"
    finally:
        left = processes_at_home(directory / "home")
        for process in left:
            process.kill()


def answer_in(program: Program, url: str, seconds: float) -> None:
    """Wait for the first answer."""

    def answers() -> bool:
        assert program.is_running, program.log()
        return is_healthy(url)

    wait_for(answers, seconds=seconds, what="make run answers")


def assert_nothing_left(directory: Path, program: Program) -> None:
    """Every process of the run has ended."""
    home = directory / "home"
    wait_for(lambda: not processes_at_home(home), seconds=10, what=describe(processes_at_home(home)))
    assert program.exit_code is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_make_run_serves_a_turn_and_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with made(tmp_path) as (program, url), Api(url) as api:
        answer_in(program, url, 60)
        wait_for(lambda: api.get("/v1/hosts")["hosts"], seconds=20, what="a host")
        wait_for(
            lambda: api.get("/v1/hosts")["hosts"][0]["status"] == "online", seconds=20, what="host online"
        )
        session = api.create()
        stream = Stream(url, session["id"])
        stream.wait_connected()
        api.message(session["id"], "Hello")
        stream.wait_settled()
        assert texts(api.items(session["id"]), "assistant")
        stream.close()
        assert url in program.log()

        if number is signal.SIGINT:
            # A terminal sends Ctrl-C to the whole group.
            os.killpg(program.pid, number)
        else:
            program.signal(number)
        program.wait(20)

        assert_nothing_left(tmp_path, program)


def test_a_second_make_run_sets_nothing_up_again(tmp_path: Path) -> None:
    with made(tmp_path) as (program, url):
        answer_in(program, url, 60)
        program.stop()
    with made(tmp_path) as (program, url):
        answer_in(program, url, 60)
        # How fast that is, `make bench` says (cold start).
        assert "installing" not in program.log()
        assert "creating" not in program.log()
        program.stop()
        assert_nothing_left(tmp_path, program)


def test_a_killed_make_run_starts_again(tmp_path: Path) -> None:
    with made(tmp_path) as (program, url):
        answer_in(program, url, 60)
        for process in processes_at_home(tmp_path / "home"):
            if runs(process, "omnigent.server"):
                process.kill()
        program.wait(20)
        assert_nothing_left(tmp_path, program)
    with made(tmp_path) as (program, url):
        answer_in(program, url, 60)
        program.stop()

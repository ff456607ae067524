"""What a host says of each harness: ready, or the one thing that is missing, found again by each probe."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from omnigent.host.readiness import ReadinessBoard, probe
from omnigent.runner.harnesses.rows import HARNESSES, HarnessRow
from tests.host.doubles import TunnelServer, running_host

NEEDY = HarnessRow(
    adapter="somewhere:Adapter",
    default_model="m",
    key_name="NEEDY_KEY",
    package="needy_package",
    program="needy-program",
    install="pip install needy",
)
ROWS: Mapping[str, HarnessRow] = {**HARNESSES, "codex": NEEDY}


class Machine:
    """A machine on which the harness `codex` needs a package, a program and a key."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environ = {"PATH": str(directory)}
        self._directory = directory
        monkeypatch.syspath_prepend(str(directory))

    def add_package(self) -> None:
        (self._directory / "needy_package").mkdir()
        (self._directory / "needy_package" / "__init__.py").write_text("")

    def add_program(self) -> None:
        program = self._directory / "needy-program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)

    def add_key(self) -> None:
        self.environ["NEEDY_KEY"] = "secret"

    def board(self) -> ReadinessBoard:
        return ReadinessBoard(source=partial(probe, self.environ, ROWS))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


async def test_each_thing_that_is_missing_is_told_in_turn(
    server: TunnelServer, data_dir: Path, machine: Machine
) -> None:
    async with running_host(server, data_dir, readiness=machine.board()):
        tunnel = await server.next_tunnel()
        told = [tunnel.hello["configured_harnesses"]["codex"]]
        for add in (machine.add_package, machine.add_program, machine.add_key):
            add()
            pushed = await tunnel.receive("host.harness_readiness")
            told.append(pushed["configured_harnesses"]["codex"])

    assert told == ["package-missing", "binary-missing", "needs-auth", True]


@pytest.mark.parametrize(
    ("has", "advice"),
    [
        pytest.param(
            (), "the Python package needy_package is not installed: pip install needy", id="package"
        ),
        pytest.param(
            ("package",), "the program needy-program is not on the PATH: pip install needy", id="program"
        ),
        pytest.param(("package", "program"), "set NEEDY_KEY where the host runs.", id="key"),
    ],
)
async def test_a_launch_is_refused_with_what_has_to_be_done(
    server: TunnelServer,
    data_dir: Path,
    workspace: Path,
    machine: Machine,
    has: tuple[str, ...],
    advice: str,
) -> None:
    for thing in has:
        {"package": machine.add_package, "program": machine.add_program}[thing]()
    async with running_host(server, data_dir, readiness=machine.board()):
        tunnel = await server.next_tunnel()
        result = await tunnel.ask(
            "host.launch_runner", binding_token="t1", workspace=str(workspace), harness="codex"
        )

    assert (result["status"], result["error_code"]) == ("failed", "harness_not_configured")
    assert result["error"] == f"harness 'codex': {advice}"


async def test_a_harness_that_is_ready_is_launched(
    server: TunnelServer, data_dir: Path, workspace: Path, machine: Machine
) -> None:
    for add in (machine.add_package, machine.add_program, machine.add_key):
        add()
    async with running_host(server, data_dir, readiness=machine.board()):
        tunnel = await server.next_tunnel()

        assert await tunnel.launch("t1", workspace, harness="codex")


async def test_a_harness_that_no_runner_has_is_told_as_not_available(
    server: TunnelServer, data_dir: Path, workspace: Path, machine: Machine
) -> None:
    async with running_host(server, data_dir, readiness=machine.board()):
        tunnel = await server.next_tunnel()
        result = await tunnel.ask(
            "host.launch_runner", binding_token="t1", workspace=str(workspace), harness="kimi"
        )

    assert tunnel.hello["configured_harnesses"]["kimi"] is False
    assert tunnel.hello["configured_harnesses"]["kimi_code"] is False
    assert result["error"] == "harness 'kimi': it is not available on this host"

"""An agent that asks for confinement which is not to be had is not run without it."""

from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.sandbox.bubblewrap import Bubblewrap, require, require_all
from omnigent.runner.sandbox.errors import SandboxError
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox, Terminal, WritePath
from tests.runner.fake_server import FakeServer
from tests.runner.rig import running

AGENT = """\
name: helper
prompt: You help.
executor: {harness: scripted}
os_env: {type: caller_process, sandbox: {type: linux_bwrap, egress_rules: ["GET example.com/*"]}}
"""


def program(directory: Path, script: str) -> Bubblewrap:
    """A bwrap that answers as this script does."""
    path = directory / "bwrap"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Bubblewrap(str(directory))


@pytest.mark.parametrize(
    ("os_env", "words"),
    [
        (OsEnv(type="docker"), "os_env.type: 'docker' is not known"),
        (OsEnv(fork=True), "os_env.fork"),
        (OsEnv(start_in_scratch=True), "os_env.start_in_scratch"),
        (OsEnv(sandbox=Sandbox(type="darwin_seatbelt")), "'darwin_seatbelt' is not possible"),
        (OsEnv(sandbox=Sandbox(type="windows_jobobject")), "'windows_jobobject' is not possible"),
        (OsEnv(sandbox=Sandbox(type="jail")), "'jail' is not possible"),
        (OsEnv(sandbox=Sandbox(options={"egress_rules": ["GET a/b"]})), "egress_rules: this runner cannot"),
        (OsEnv(sandbox=Sandbox(options={"credential_proxy": [{}]})), "credential_proxy: this runner cannot"),
        (OsEnv(sandbox=Sandbox(type="none", options={"git_ssh": {"a": 1}})), "git_ssh: this runner cannot"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_no_runner_can_do_is_refused(tmp_path: Path, os_env: OsEnv, words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        await require(os_env, program(tmp_path, "exit 0"))


@pytest.mark.parametrize("kind", [None, "auto", "linux_bwrap"])
async def test_a_machine_without_the_program_is_told_how_to_get_it(tmp_path: Path, kind: str | None) -> None:
    with pytest.raises(SandboxError, match="not installed; install bubblewrap"):
        await require(OsEnv(sandbox=Sandbox(type=kind)), Bubblewrap(str(tmp_path)))


async def test_no_sandbox_needs_no_program(tmp_path: Path) -> None:
    await require(OsEnv(sandbox=Sandbox(type="none")), Bubblewrap(str(tmp_path)))
    await require_all(AgentSpec(name="helper"), Bubblewrap(str(tmp_path)))


async def test_a_program_that_does_not_work_is_found_out_once(tmp_path: Path) -> None:
    tried = program(
        tmp_path, f"echo x >> {tmp_path}/runs; echo 'No permissions to create a new namespace'; exit 1"
    )

    for _ in range(2):
        with pytest.raises(SandboxError, match=r"does not work on this machine \(No permissions to create"):
            await require(OsEnv(), tried)

    assert len((tmp_path / "runs").read_text().split()) == 2


async def test_a_network_that_cannot_be_taken_away_matters_only_where_it_is_taken(tmp_path: Path) -> None:
    tried = program(tmp_path, 'case "$*" in *--unshare-net*) echo loopback failed; exit 1;; esac')

    await require(OsEnv(), tried)
    with pytest.raises(SandboxError, match="loopback failed"):
        await require(OsEnv(sandbox=Sandbox(allow_network=False)), tried)


async def test_a_kernel_that_forbids_the_last_step_is_enough(tmp_path: Path) -> None:
    script = 'case "$*" in --help) echo "  --disable-userns";; *--disable-userns*) exit 1;; esac'
    tried = program(tmp_path, script)

    await require(OsEnv(), tried)

    assert "--disable-userns" not in tried.isolation(network=True)


async def test_copies_need_overlays(tmp_path: Path) -> None:
    copying = OsEnv(sandbox=Sandbox(write_paths=(WritePath(path=".", copy_on_write=True),)))

    with pytest.raises(SandboxError, match="copy_on_write needs a bwrap with overlays"):
        await require(copying, program(tmp_path, "exit 0"))
    await require(copying, program(tmp_path, 'echo "    --tmp-overlay DEST"'))


async def test_terminals_are_asked_about_too(tmp_path: Path) -> None:
    terminal = Terminal(os_env=OsEnv(sandbox=Sandbox(type="jail")))
    spec = AgentSpec(name="helper", terminals={"shell": terminal})

    with pytest.raises(SandboxError, match="'jail'"):
        await require_all(spec, program(tmp_path, "exit 0"))


async def test_a_session_with_such_an_agent_is_refused_at_its_start(tmp_path: Path) -> None:
    server = FakeServer()
    server.agent = AGENT
    call: dict[str, Any] = {
        "method": "tools/call",
        "params": {"name": "sys_os_shell", "arguments": {"command": "touch ran"}},
    }
    async with running(tmp_path, server=server):
        status, answer = await server.request(
            "POST", "/v1/sessions", {"session_id": "conv_1", "agent_id": "ag_1"}
        )
        _, ran = await server.request("POST", "/v1/sessions/conv_1/mcp/execute", call)

    assert (status, answer["error"]) == (400, "invalid_agent")
    assert "egress_rules: this runner cannot enforce it" in answer["detail"]
    assert "egress_rules" in ran["error"]["message"]
    assert not (tmp_path / "ran").exists()

"""Harnesses that other packages bring: found by runners, and what is wrong with some stops nobody."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from omnigent.spec.contributions import GROUP, discover
from tests.runner.contributed import EXAMPLE, install_example, write_package
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import settled
from tests.runner.test_process import ROOT, process

GOOD = """
from dataclasses import replace
from omnigent.runner.harnesses.contributions import HarnessContribution
from omnigent.runner.harnesses.rows import HarnessRow
from omnigent.spec.capabilities import Capabilities

CONTRIBUTION = HarnessContribution(
    name="{name}",
    label="A harness",
    aliases={aliases!r},
    row=HarnessRow(adapter="nowhere:Adapter", default_model="m"),
    capabilities=Capabilities(
        integration_mode="sdk-in-process", elicitation="hook", resume="none", model_family="multi",
        auth="own-auth",
    ),
)
"""
BROKEN = {
    "imports": "import no_such_module\n",
    "raises": "raise SystemError('on import')\n",
    "lacks": "OTHER = 1\n",
    "foreign": "CONTRIBUTION = object()\n",
    "taken": GOOD.format(name="anthropic", aliases=()),
    "taken_alias": GOOD.format(name="fresh", aliases=("claude",)),
    "bad_name": GOOD.format(name="Not A Name", aliases=()),
    "no_row": (
        "class CONTRIBUTION:\n    name, label, aliases = 'no-row', 'x', ()\n"
        "    capabilities, setup_steps = None, ()\n"
    ),
}


def found_in(directory: Path, program: str) -> str:
    """What a new process prints that has this directory on its path."""
    path = os.pathsep.join((str(ROOT), str(directory)))
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("harness", ["echo-upper", "echo_upper", "shout"])
async def test_the_example_runs_a_turn(tmp_path: Path, harness: str) -> None:
    target, workspace = tmp_path / "target", tmp_path / "workspace"
    target.mkdir()
    workspace.mkdir()
    install_example(target)
    server = FakeServer()
    server.agent = f"name: loud\nprompt: Be loud.\nexecutor: {{harness: {harness}}}\n"
    path = os.pathsep.join((str(ROOT), str(target)))
    async with server.listening(), process(server.url, workspace, PYTHONPATH=path):
        hello = (await server.tunnel()).hello
        stream = server.subscribe()
        await server.say("hello from a package")
        await until(lambda: settled(stream))

    assert hello is not None
    assert "echo-upper" in hello.harnesses
    assert stream.text() == "HELLO FROM A PACKAGE"
    assert stream.of_type("response.completed")[0]["response"]["usage"]["model"] == "upper-1"


def test_installing_the_example_leaves_nothing_in_the_tree(tmp_path: Path) -> None:
    def files() -> list[Path]:
        return sorted(path for path in EXAMPLE.rglob("*") if "__pycache__" not in path.parts)

    before = files()
    install_example(tmp_path)

    assert files() == before


async def test_broken_packages_are_logged_and_left_out(tmp_path: Path) -> None:
    target, workspace = tmp_path / "target", tmp_path / "workspace"
    target.mkdir()
    workspace.mkdir()
    for name, source in BROKEN.items():
        write_package(target, name, source)
    write_package(target, "good_one", GOOD.format(name="good-one", aliases=("fine",)))
    path = os.pathsep.join((str(ROOT), str(target)))
    server = FakeServer()
    async with server.listening(), process(server.url, workspace, PYTHONPATH=path) as started:
        hello = (await server.tunnel()).hello
        stream = server.subscribe()
        await server.say("Count to 3")
        await until(lambda: settled(stream))
        started.terminate()
        assert started.stderr is not None
        log = (await started.stderr.read()).decode()

    assert stream.text() == "1 2 3 \n"
    assert hello is not None
    assert set(hello.harnesses) == {"scripted", "good-one"}
    assert log.count("harness left out") == len(BROKEN)


def test_a_name_that_two_packages_bring_belongs_to_the_first(tmp_path: Path) -> None:
    write_package(tmp_path, "a_first", GOOD.format(name="twice", aliases=("one",)))
    write_package(tmp_path, "b_second", GOOD.format(name="other", aliases=("twice",)))
    program = "from omnigent.spec import harnesses as h; print(h.canonical('twice'), h.canonical('other'))"

    assert found_in(tmp_path, program).split() == ["twice", "None"]


def test_agents_may_name_a_harness_of_a_package(tmp_path: Path) -> None:
    write_package(tmp_path, "good_one", GOOD.format(name="good-one", aliases=("fine",)))
    program = """
from omnigent.spec import bundle
for harness in ("good-one", "good_one", "fine"):
    document = f"name: x\\nprompt: hello\\nexecutor: {{harness: {harness}}}\\n"
    spec = bundle.read(bundle.pack({"agent.yaml": document.encode()}))
    print(spec.shown_harness, spec.harness_id)
"""

    assert found_in(tmp_path, program).splitlines() == [
        "good-one good-one",
        "good_one good-one",
        "fine good-one",
    ]


def test_nothing_is_left_out_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    lost = EntryPoint(name="lost", value="no_such_module:CONTRIBUTION", group=GROUP)

    assert discover([lost], taken=()) == ()
    assert caplog.messages == ["harness left out"]

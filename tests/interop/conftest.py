"""The released product's own interpreter, with a home that is thrown away and its telemetry off."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts import interop
from tests.bytecode import kept
from tests.e2e import conftest as processes
from tests.e2e.stack import Flavour, Stack

JOURNEYS = Path(__file__).parent / "journeys"
SECONDS = 240

Released = Callable[..., dict[str, Any]]

shared_stack = processes.shared_stack


@pytest.fixture(scope="session")
def flavour() -> Flavour:
    """What `make run` starts."""
    return Flavour(name="daphne-sqlite", server="daphne", replicas=1)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Run a journey by its name, with arguments; gives the JSON object that it prints."""
    python = interop.setup()
    home = tmp_path_factory.mktemp("released-home")
    environ = released_environ(home)

    def run(journey: str, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(python), str(JOURNEYS / f"{journey}.py"), *arguments],
            cwd=home,
            env=environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    return run


def released_environ(home: Path) -> Mapping[str, str]:
    """A clean environment for the released product's programs, which talk to the server they are given."""
    settings = home / ".omnigent"
    settings.mkdir()
    (settings / "config.yaml").write_text("telemetry: false\n")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        **kept(),
        "OMNIGENT_TELEMETRY": "0",
        "OMNIGENT_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture(scope="session")
def url(shared_stack: Stack) -> str:
    """The address of a server with a host."""
    return shared_stack.url

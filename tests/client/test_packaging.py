"""The client is a package of its own: it builds, installs and runs without the server."""

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnigent_client import __version__
from tests.services.processes import private_directory

SOURCE = Path(__file__).parents[2] / "omnigent_client"
USE = """
import sys, omnigent_client
from omnigent_client import OmnigentClient, SyncClient
with SyncClient("http://127.0.0.1:9") as client:
    assert client.sessions.get.__doc__
foreign = {"omnigent", "django", "rest_framework", "channels", "pydantic", "orjson"} & set(sys.modules)
assert not foreign, foreign
print(omnigent_client.__file__)
"""


def files() -> list[Path]:
    """What lies in the package's directory, but for what running Python leaves."""
    return sorted(path for path in SOURCE.rglob("*") if "__pycache__" not in path.parts)


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    """The built wheel; hatchling is among the development requirements, so nothing is fetched."""
    before = files()
    with private_directory("wheel") as directory:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        command += ["--disable-pip-version-check", "--wheel-dir", str(directory), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
        assert done.returncode == 0, done.stdout + done.stderr
        assert files() == before, "building leaves files behind"
        [built] = directory.glob("*.whl")
        yield built


def test_the_wheel_holds_every_module_and_the_type_marker(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {f"omnigent_client/{path.relative_to(SOURCE).as_posix()}" for path in SOURCE.rglob("*.py")}

    assert wheel.name.startswith(f"omnigent_client-{__version__}-py3")
    assert packed == sources | {"omnigent_client/py.typed"}


def test_the_wheel_asks_for_httpx_alone(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    lines = archive.read(name).decode().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line]

    assert [line.split()[1].split("<")[0].split(">")[0] for line in required] == ["httpx"]
    assert "Requires-Python: >=3.11" in lines


def test_the_installed_package_runs_without_the_server(wheel: Path) -> None:
    with private_directory("installed") as directory:
        zipfile.ZipFile(wheel).extractall(directory)
        done = subprocess.run(
            [sys.executable, "-c", USE], capture_output=True, text=True, check=False, cwd=directory
        )

        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).is_relative_to(directory.resolve())


def test_the_extra_of_the_command_line_is_the_only_one() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]

    assert set(project["optional-dependencies"]) == {"cli"}
    assert project["requires-python"] == ">=3.11"
